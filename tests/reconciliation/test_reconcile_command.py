"""``recon reconcile``: what scripts can trust of its exit code, and what people see meanwhile."""

from __future__ import annotations

import asyncio
import json
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from rich.console import Console

from recon.cli import recon
from recon.cli.run_progress import RunProgress
from recon.reconciliation import RunScope, abandon_run, read_run, start_run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from click.testing import Result

    from recon.reconciliation import Run
    from tests.reconciliation.conftest import World

    Reconcile = Callable[..., Awaitable[Result]]


@pytest.fixture
def reconcile(world: World, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Reconcile:
    """Run the command against the world's game, in a thread with a loop of its own."""
    settings = {
        "GAME_URL": world.url,
        "GAME_API_KEY": "ck_sandbox_test",
        "GAME_SIGNING_SECRET": "sk_sandbox_test",
        "GRACE_PERIOD": "1s",
        "TOLERANCE__EUR": "0.05",
    }
    for name, text in settings.items():
        monkeypatch.setenv(f"RECON_{name}", text)

    async def command(*arguments: str) -> Result:
        return await asyncio.to_thread(
            CliRunner(catch_exceptions=False).invoke,
            recon,
            ["--database-url", database_url, "reconcile", *arguments],
        )

    return command


async def test_it_exits_0_when_all_agrees_and_tells_what_was_tolerated(
    world: World, reconcile: Reconcile
) -> None:
    await world.deposit("u_1", "10.00", "EUR")
    world.game.set("u_1", "10.03", currency="EUR")

    told = await reconcile("--all")
    as_json = await reconcile("--all", "--json")

    assert told.exit_code == 0
    assert "1 of 1 wallets agree" in " ".join(told.stdout.split())
    assert "1 of these agree only by the tolerance of 0.05 EUR: 0.03 EUR in all." in told.stdout
    run = json.loads(as_json.stdout)
    assert (as_json.exit_code, run["state"], run["progress"]) == (0, "finished", None)
    assert run["tolerated"] == [
        {"currency": "EUR", "tolerance": "0.05", "wallets": 1, "amount": "0.03"}
    ]
    # Logs may be there; a bar is not.
    assert "Comparing" not in as_json.stderr


async def test_it_exits_3_while_a_discrepancy_is_open_also_when_this_run_saw_none(
    world: World, reconcile: Reconcile
) -> None:
    for user in ("u_1", "u_2"):
        await world.deposit(user, "10.00")
        world.game.set(user, "10.00")
    world.game.set("u_2", "9.99")

    dry = await reconcile("--all", "--dry-run", "--json")
    found = await reconcile("--all", "--json")
    of_another = await reconcile("--user", "u_1", "--json")
    again = await reconcile("--user", "u_2")

    assert [one.exit_code for one in (dry, found, of_another, again)] == [3, 3, 3, 3]
    run = json.loads(found.stdout)
    assert run["wallets"]["discrepant"] == 1
    assert run["changes"] == {"opened": 1, "persisting": 0, "reopened": 0, "healed": 0}
    assert run["totals"] == [
        {
            "currency": "GBP",
            "discrepancies": 1,
            "explained": "0.00",
            "unexplained": "0.01",
            "net": "-0.01",
        }
    ]
    said = " ".join(again.stdout.split())
    assert "Against what was known before: 0 new, 1 as before, 0 come back, 0 healed." in said
    assert "GBP: 1 discrepancy, -0.01 net; 0.00 explained, 0.01 not." in said
    assert json.loads(of_another.stdout)["wallets"]["discrepant"] == 0


async def test_it_exits_4_when_the_game_cut_it_short_whatever_else_is_open(
    world: World, reconcile: Reconcile
) -> None:
    """One cannot be compared, and another differs: it is never clean, and no error is a finding."""
    for user in ("u_1", "u_2"):
        await world.deposit(user, "10.00")
        world.game.set(user, "3.00")
    world.game.locked.add("u_2")

    ran = await reconcile("--all", "--json")

    run = json.loads(ran.stdout)
    assert (ran.exit_code, run["state"]) == (4, "incomplete")
    assert run["reason"] == "the game did not answer for some wallets"
    assert (run["wallets"]["discrepant"], run["wallets"]["not_compared"]) == (1, 1)
    assert [one.user_id for one in await world.found()] == ["u_1"]


async def test_a_player_whom_the_game_does_not_know_has_no_balance_of_zero_there(
    world: World, reconcile: Reconcile
) -> None:
    await world.deposit("u_1", "10.00")

    ran = await reconcile("--all", "--json")
    (found,) = await world.found()

    assert ran.exit_code == 3
    assert found.game_as_of is None


async def snapshots(world: World) -> list[Run]:
    """A run that is being cut, and the same one after it has ended."""
    run_id = await start_run(world.pool, RunScope.ALL, trigger="test", queued=False)
    async with world.pool.acquire() as connection:
        running = await read_run(connection, run_id)
    await abandon_run(world.pool, run_id, "for the test")
    async with world.pool.acquire() as connection:
        return [running, await read_run(connection, run_id)]


async def test_progress_is_a_bar_on_a_terminal_and_a_line_now_and_then_elsewhere(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.cli.run_progress._LINE_EVERY_S", 0.0)
    terminal, pipe, silent = StringIO(), StringIO(), StringIO()
    shown = [
        RunProgress(quiet=False, on=Console(file=terminal, force_terminal=True, width=120)),
        RunProgress(quiet=False, on=Console(file=pipe, width=120)),
        RunProgress(quiet=True, on=Console(file=silent, force_terminal=True)),
    ]
    for run in await snapshots(world):
        for one in shown:
            with one:
                one.show(run)

    assert "Finding the wallets" in terminal.getvalue()
    assert "\x1b[" in terminal.getvalue()
    assert pipe.getvalue() == "Finding the wallets: 0 of 0; 0 agree, 0 differ\n"
    assert silent.getvalue() == ""
