"""Runs, suspects, discrepancies and adjustments."""

from __future__ import annotations

from recon.db.migrations import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__, "up")


def downgrade() -> None:
    """Undo it."""
    run_script(__file__, "down")
