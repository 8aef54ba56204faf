"""What the database is to whoever needs it."""

from __future__ import annotations

from recon.errors import Unavailable

__all__ = ["DatabaseUnavailableError"]


class DatabaseUnavailableError(Unavailable):
    """Postgres cannot be reached, or is older than we can use."""

    code = "database_unavailable"
