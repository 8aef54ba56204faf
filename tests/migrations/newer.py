"""A newer version of recon, as far as its migrations go: ours, and some that are to come."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final
from unittest.mock import patch

from recon.db.embedded import SERVICE_USER
from recon.db.migrations import migrate
from recon.db.schema import SchemaStatus, schema_head, script_location

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Newer"]

_VERSION: Final = '''"""{name}"""

from recon.db.migrations import run_script

revision = "{revision}"
down_revision = "{before}"
{oldest_code}


def upgrade():
    run_script(__file__, "up")
'''


class Newer:
    """It.

    Args:
        folder: an empty one, for its migrations.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "alembic"
        self.head = schema_head()
        shutil.copytree(
            script_location(), self._folder, ignore=shutil.ignore_patterns("__pycache__")
        )

    def add(self, statements: str, *, oldest_code: str | None, grants: str = "") -> str:
        """Write one more revision; its number.

        Args:
            statements: what it does.
            oldest_code: what it says, if anything, of the code that runs on it.
            grants: what the service may do there, as a line of ``grants.sql``. With one line more
                all of the rights are taken and given anew, as by any version that has a new table.
        """
        before, self.head = self.head, f"{int(self.head) + 1:04}"
        path = self._folder / "versions" / f"{self.head}_later.py"
        said = "" if oldest_code is None else f'oldest_code = "{oldest_code}"'
        path.write_text(
            _VERSION.format(name="Later.", revision=self.head, before=before, oldest_code=said)
        )
        path.with_suffix(".up.sql").write_text(statements)
        with (self._folder / "grants.sql").open("a") as rights:
            rights.write(grants)
        return self.head

    async def bring_up(self, dsn: str) -> SchemaStatus:
        """Migrate a database as that version does, while ours may run on it."""
        with (
            patch("recon.db.migrations.script_location", lambda: self._folder),
            patch("recon.db.migrations.schema_head", lambda: self.head),
        ):
            return await migrate(dsn, service_role=SERVICE_USER)
