"""Alembic's environment: our connection, under an advisory lock, with short lock waits.

Run through ``recon migrate``; ``recon.db.migrations`` hands the connection over.
"""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
