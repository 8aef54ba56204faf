"""Alerts: what people were told of, and what is still on its way to them."""

from __future__ import annotations

from recon.db.migrations import run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__, "up")


def downgrade() -> None:
    """Undo it."""
    run_script(__file__, "down")
