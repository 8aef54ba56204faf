"""Bets, the calls made for them, and who listens to what the game tells of them."""

from __future__ import annotations

from recon.db.migrations import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__, "up")


def downgrade() -> None:
    """Undo it."""
    run_script(__file__, "down")
