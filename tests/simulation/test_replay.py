"""A seed is a run: the same one gives the same events, wherever and whenever it is run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import msgspec
import pytest

from recon.simulation import simulate_seed

if TYPE_CHECKING:
    from pathlib import Path

    from recon.simulation import Databases

SEED = 6
STEPS = 40


def test_a_seed_replays_event_by_event(databases: Databases) -> None:
    first: list[str] = []
    second: list[str] = []

    one = simulate_seed(databases, SEED, STEPS, show=first.append)
    again = simulate_seed(databases, SEED, STEPS, show=second.append)

    assert len(first) > 500
    assert first == second
    assert one.trace == again.trace
    assert {"death", "stall", "restart"} & set(one.counts)


def test_another_seed_is_another_run(databases: Databases) -> None:
    one = simulate_seed(databases, SEED, 10)
    other = simulate_seed(databases, SEED + 1, 10)

    assert one.trace != other.trace
    assert one.weather != other.weather


def test_the_command_replays_it_on_a_server_of_its_own(
    databases: Databases, tmp_path: Path
) -> None:
    """Another process, another Postgres, another order of sets: the trace is the same."""
    trace = tmp_path / "trace.txt"
    command = ["-m", "recon", "simulate", "--seed", str(SEED), "--steps", "10", "--json"]
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, *command, "--trace", str(trace)],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "12345"},
    )
    said = msgspec.json.decode(done.stdout)
    here: list[str] = []
    report = simulate_seed(databases, SEED, 10, show=here.append)

    assert done.returncode == 0, done.stderr.decode()
    assert (said["ok"], said["seeds"], said["failed_seeds"]) == (True, 1, [])
    assert said["runs"][0]["trace"] == report.trace
    assert said["faults"] == report.faults
    assert trace.read_text(encoding="utf-8").splitlines() == here


@pytest.mark.parametrize(
    ("stream", "word"), [("stderr", "Starting a Postgres"), ("stdout", "seed 1: ok")]
)
def test_the_command_leaves_nothing_behind_when_it_is_told_to_end(
    tmp_path: Path, stream: str, word: str
) -> None:
    command = [sys.executable, "-m", "recon", "simulate", "--seeds", "9999", "--steps", "5"]
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
        text=True,
    ) as running:
        first = getattr(running, stream).readline()
        there = list(tmp_path.iterdir())
        running.terminate()
        _, said = running.communicate(timeout=300)

    assert first.startswith(word)
    assert len(there) == 1
    assert (running.returncode, list(tmp_path.iterdir())) == (130, []), said
