"""Settlements: the files in which a PSP says what it has settled, and what they say against us."""

from __future__ import annotations

from recon.db.migrations import run_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__, "up")


def downgrade() -> None:
    """Undo it."""
    run_script(__file__, "down")
