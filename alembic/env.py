"""Alembic's environment: our connection, in a transaction of ours with its lock and timeouts.

Run through ``recon migrate``; ``recon.db.migrations`` hands the connection over.
"""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
