"""`recon doctor`: what is wrong with a set-up."""

from __future__ import annotations

import asyncio
import json

from click.testing import CliRunner

from recon.cli import recon


async def test_a_database_that_forgets_in_a_power_cut_is_a_fault(database_url: str) -> None:
    # The tests' own server is one: what it writes need not outlive anything.
    runner = CliRunner(env={"RECON_DATABASE_URL": database_url, "NO_COLOR": "1"})
    result = await asyncio.to_thread(runner.invoke, recon, ["doctor", "--json"])

    assert result.exit_code == 5
    (database,) = (f for f in json.loads(result.stdout)["findings"] if f["check"] == "database")
    assert database == {
        "check": "database",
        "ok": False,
        "detail": "fsync and full_page_writes off: "
        "a power cut may lose what a PSP was told is kept",
    }
