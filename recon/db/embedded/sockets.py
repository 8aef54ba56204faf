"""A directory for the server's only socket, whose path must be short."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path

from recon.db.embedded.errors import EmbeddedPostgresError

__all__ = ["PORT", "is_private_to", "path_fits", "short_folder"]

PORT = 5432
# sun_path with its closing zero is 108 bytes on Linux and 104 elsewhere. Source: unix(7), unix(4).
_PATH_BYTES = 107 if sys.platform == "linux" else 103
_NAME_BYTES = len(f"/.s.PGSQL.{PORT}")


def path_fits(folder: Path) -> bool:
    """Say whether a client can be told to find a socket there; a comma would mean two places."""
    return len(os.fsencode(folder)) + _NAME_BYTES <= _PATH_BYTES and "," not in str(folder)


def short_folder() -> Path:
    """Make a private directory of ours with a short path, for a home whose path is long.

    Raises:
        EmbeddedPostgresError: there is no place for one.
    """
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), "/tmp"):  # noqa: S108 - mkdtemp's own, 0700
        if parent and os.access(parent, os.W_OK) and path_fits(Path(parent, "recon-pg-12345678")):
            return Path(tempfile.mkdtemp(prefix="recon-pg-", dir=parent))
    raise EmbeddedPostgresError(
        "the data directory's path cannot hold a socket (too long, or with a comma) and there "
        "is no other place for one; choose a shorter RECON_DATA_DIR",
        code="postgres_place",
    )


def is_private_to(folder: Path, uid: int) -> bool:
    """Say whether a directory is that user's, and nobody else may use it."""
    found = folder.lstat()
    return (
        stat.S_ISDIR(found.st_mode)
        and found.st_uid == uid
        and not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    )
