"""``recon demo``: every planted fault found, nothing falsely reported, nothing left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recon.db.embedded.child import die_with_parent
from tests.docs.blocks import ROOT, blocks_of
from tests.scratch import passable_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

DEMO = (sys.executable, "-m", "recon", "demo", "--users", "24", "--duration", "8")


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that the embedded server's user may pass, so that it keeps its data there."""
    with passable_folder("recon-demo-") as path:
        yield path


async def start(home: Path, *more: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *DEMO,
        *more,
        cwd=home,
        preexec_fn=die_with_parent(),
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_demo_finds_what_it_planted_and_reports_nothing_else(home: Path) -> None:
    demo = await start(home, "--seed", "11", "--exit", "--json")
    out, said = await demo.communicate()

    assert demo.returncode == 0, said.decode() + out.decode()
    report = json.loads(out)
    assert (report["missed"], report["false"]) == ([], [])
    assert report["verify"]["ok"]
    assert report["verify"]["signatures"] == "checked"
    assert report["verify"]["sealed_rows"] > report["deliveries"]
    causes = {fault["must_lead_to"] for fault in report["planted"]} - {None}
    assert causes >= {"missing_webhook", "missing_game_update", "duplicate", "amount_mismatch"}
    assert report["absorbed"] > 0
    assert "webhook_missed" in {fault["fault"] for fault in report["planted"]}
    assert report["bets"] > 0
    assert running_under(home) == []
    await tour(home)


async def tour(home: Path) -> None:
    """The README's tour, over what the demo has left."""
    (block,) = [b for b in blocks_of(ROOT / "README.md") if "recon wallet show u_1001" in b.text]
    recon = f'recon() {{ "{sys.executable}" -m recon "$@"; }}\n'
    walking = await asyncio.create_subprocess_exec(
        *("bash", "-c", recon + block.text),
        cwd=home,
        preexec_fn=die_with_parent(),
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await walking.communicate()
    assert walking.returncode == 0, said.decode()
    assert "discrepancy_id,run_id,as_of_ledger" in out.decode()
    assert "The books hold" in out.decode()


async def test_an_interrupt_leaves_no_process_behind(home: Path) -> None:
    demo = await start(home)
    while len(running_under(home)) < 2:  # noqa: ASYNC110 - its Postgres is not there yet
        await asyncio.sleep(0.1)
    await asyncio.sleep(1)  # it is under way with something, on a slow machine with the beginning
    demo.send_signal(signal.SIGINT)

    # Read, or a full pipe would hold it up.
    await asyncio.wait_for(demo.communicate(), 300)
    assert demo.returncode == 130
    while running_under(home):  # noqa: ASYNC110 - the kernel tells nobody
        await asyncio.sleep(0.1)


def running_under(home: Path) -> list[str]:
    """Processes that work in, or speak of, a directory."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            where = str((entry / "cwd").readlink())
        except OSError:
            continue
        if str(home) in command or where.startswith(str(home)):
            found.append(command)
    return found
