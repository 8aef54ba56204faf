"""Postgres: the pool, SQL files, migrations, and the embedded server.

``open_pool`` gives asyncpg pools that speak our types; ``load`` reads one statement from a file;
``with_retries`` runs a transaction again after 40001 and 40P01; ``recon.db.migrations`` brings the
schema up; ``recon.db.embedded`` is the server that comes along.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recon.db.pool import POOL, Pool, open_pool
    from recon.db.sql import Sql, is_turned, load, load_in_order
    from recon.db.transactions import NO_PATH, with_retries

__all__ = [
    "NO_PATH",
    "POOL",
    "Pool",
    "Sql",
    "is_turned",
    "load",
    "load_in_order",
    "open_pool",
    "with_retries",
]

_HOMES = {
    "NO_PATH": "transactions",
    "POOL": "pool",
    "Pool": "pool",
    "open_pool": "pool",
    "Sql": "sql",
    "load": "sql",
    "is_turned": "sql",
    "load_in_order": "sql",
    "with_retries": "transactions",
}


def __getattr__(name: str) -> object:
    """Import on first use: the embedded server's supervisor needs no driver, no web framework."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"recon.db.{_HOMES[name]}"), name)
