"""What is logged is what the settings say, wherever they say it, in every process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


async def spoken(
    database_url: str, home: Path, *arguments: str, toml: str = "", **variables: str
) -> list[str]:
    """The events that a service logs from its start to SIGTERM."""
    (home / "recon.toml").write_text(toml, encoding="utf-8")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "recon", *arguments),
        cwd=home,
        env=environment | {"RECON_DATABASE_URL": database_url} | variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert await asyncio.wait_for(child.stdout.readline(), 60)
    child.send_signal(signal.SIGTERM)
    _, said = await asyncio.wait_for(child.communicate(), 60)
    assert child.returncode == 0, said
    lines = [json.loads(line) for line in said.splitlines() if line.startswith(b"{")]
    return [line["event"] for line in lines if line["event"] in {"draining", "stopped"}]


SERVE = ("serve", "--port", "0", "--json", "--no-jobs")


@pytest.mark.parametrize(
    ("before", "toml", "variables", "events"),
    [
        ((), "", {}, ["draining", "stopped"]),
        ((), 'log_level = "warning"', {}, []),
        ((), "", {"RECON_LOG_LEVEL": "warning"}, []),
        (("--log-level", "info"), 'log_level = "warning"', {}, ["draining", "stopped"]),
    ],
    ids=["default", "file", "environment", "flag"],
)
async def test_the_log_level_comes_from_any_source(
    database_url: str,
    tmp_path: Path,
    before: tuple[str, ...],
    toml: str,
    variables: dict[str, str],
    events: list[str],
) -> None:
    said = await spoken(database_url, tmp_path, *before, *SERVE, toml=toml, **variables)

    assert said == events


@pytest.mark.parametrize(("level", "drained"), [("info", 2), ("warning", 0)])
async def test_the_flag_reaches_every_process(
    database_url: str, tmp_path: Path, level: str, drained: int
) -> None:
    said = await spoken(database_url, tmp_path, "--log-level", level, *SERVE, "--processes", "2")

    assert said.count("draining") == drained


async def test_no_flag_is_claimed_that_was_not_given(tmp_path: Path) -> None:
    (tmp_path / "recon.toml").write_text('log_level = "error"', encoding="utf-8")
    shown = {}
    for flags in ((), ("--log-level", "debug")):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "recon", *flags, "config", "show", "--json"),
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "RECON_COLOUR": "red"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await asyncio.wait_for(child.communicate(), 60)
        (row,) = (row for row in json.loads(out) if row["name"] == "log_level")
        shown[flags] = (row["value"], row["source"], b"RECON_COLOUR is no setting" in said)

    assert shown == {
        (): ("error", "file", True),
        ("--log-level", "debug"): ("debug", "flag", True),
    }
