"""Keys of callers, staff, sessions, stored answers and the audit log."""

from __future__ import annotations

from recon.db.migrations import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Run the script beside this file."""
    run_script(__file__, "up")


def downgrade() -> None:
    """Undo it."""
    run_script(__file__, "down")
