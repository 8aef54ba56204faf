"""Seals: what was written is linked, chained and signed, so that a change of the past shows."""

from __future__ import annotations

from recon.db.migrations import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__, "up")


def downgrade() -> None:
    """Undo it."""
    run_script(__file__, "down")
