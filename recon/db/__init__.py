"""Postgres: the pool, SQL files, migrations, and the embedded server.

``open_pool`` gives asyncpg pools that speak our types; ``Sql`` loads one statement from a file;
``with_retries`` runs a transaction again after 40001 and 40P01; ``migrate`` brings the schema up.
"""

from recon.db.pool import POOL, Pool, open_pool
from recon.db.sql import Sql, load
from recon.db.transactions import with_retries

__all__ = ["POOL", "Pool", "Sql", "load", "open_pool", "with_retries"]
