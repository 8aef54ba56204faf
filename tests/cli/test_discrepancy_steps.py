"""Steps on one discrepancy from the command line: the same as the API's, and on record as such."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from recon.cli import recon
from recon.clock import now
from recon.reconciliation import RunState, Status, list_runs
from recon.settings import ConfigurationError
from tests.reconciliation.cases import Cases
from tests.reconciliation.conftest import World, open_world

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool

Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def cases(pool: Pool) -> Cases:
    return Cases(pool)


@pytest.fixture
async def world(pool: Pool) -> AsyncIterator[World]:
    async with open_world(pool) as opened:
        yield opened


@pytest.fixture
def run(database_url: str) -> Run:
    """Run ``recon discrepancies …`` in a thread with a loop of its own: (code, stdout)."""

    async def command(*arguments: object, **settings: str) -> tuple[int, str]:
        result = await asyncio.to_thread(
            CliRunner(catch_exceptions=False).invoke,
            recon,
            ["--database-url", database_url, "discrepancies", *map(str, arguments)],
            env=settings,
        )
        return result.exit_code, result.stdout

    return command


async def one_off(world: World) -> UUID:
    """The game has 25.00, the ledger 5.00, and a run has found so."""
    await world.deposit("u_1", "5.00")
    world.game.set("u_1", "25.00")
    await world.run()
    (found,) = await world.found()
    return found.discrepancy_id


def asked(world: World) -> dict[str, str]:
    return {
        "RECON_GAME_URL": world.url,
        "RECON_GAME_API_KEY": "ck_sandbox_test",
        "RECON_GAME_SIGNING_SECRET": "sk_sandbox_test",
        "RECON_GRACE_PERIOD": "1s",
    }


async def test_a_recheck_says_whether_it_stands_and_closes_what_agrees(
    run: Run, world: World
) -> None:
    case = await one_off(world)

    stands, words = await run("recheck", case, **asked(world))
    world.game.set("u_1", "5.00")
    agrees, said = await run("recheck", case, "--json", **asked(world))

    assert (stands, "the discrepancy is open" in words.replace("\n", " ")) == (3, True)
    told: dict[str, Any] = json.loads(said)
    assert agrees == 0
    assert (told["run"]["trigger"], told["run"]["wallets"]["agreed"]) == (f"recheck:{case}", 1)
    assert told["discrepancy"]["status"] == "cleared"
    history = await Cases(world.pool).history(case)
    assert [step for step in history if step[0] == "cli"] == [("cli", "rechecked")] * 2


async def test_a_recheck_that_the_game_does_not_answer_is_incomplete_and_closes_nothing(
    run: Run, world: World
) -> None:
    case = await one_off(world)
    world.game.broken.add("u_1")

    code, _ = await run("recheck", case, **asked(world))

    assert code == 4
    assert (await Cases(world.pool).read(case)).status is Status.OPEN
    async with world.pool.acquire() as connection:
        newest, *_ = await list_runs(connection)
    assert newest.state is RunState.INCOMPLETE


async def test_without_a_game_to_ask_no_recheck_begins(run: Run, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")

    with pytest.raises(ConfigurationError, match="RECON_GAME_URL"):
        await run("recheck", case)

    assert await cases.history(case) == [("run", "opened")]


async def test_it_is_assigned_spoken_of_and_ignored_for_a_while(run: Run, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")

    given, words = await run("assign", case, "mia")
    spoken, _ = await run("comment", case, "asked the PSP")
    ignored, said = await run("ignore", case, "--reason", "settles", "--for", "36h", "--json")
    back, _ = await run("assign", case, "--nobody")

    assert [given, spoken, ignored, back] == [0, 0, 0, 0]
    assert "investigating, assigned to mia" in words
    until = (await cases.read(case)).ignored_until
    assert until is not None
    assert timedelta(hours=35, minutes=58) < until - now() <= timedelta(hours=36)
    assert (json.loads(said)["status"], (await cases.read(case)).assignee) == ("ignored", None)
    assert await cases.history(case) == [
        ("run", "opened"),
        ("cli", "assigned"),
        ("cli", "commented"),
        ("cli", "ignored"),
        ("cli", "assigned"),
    ]


async def test_what_says_nothing_is_a_usage_error(run: Run, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")

    codes = [
        (await run(*arguments))[0]
        for arguments in (
            ("assign", case),
            ("assign", case, "mia", "--nobody"),
            ("comment", case, "  "),
            ("ignore", case, "--reason", " "),
            ("ignore", case, "--reason", "x", "--for", "a while"),
        )
    ]

    assert codes == [2, 2, 2, 2, 2]
    assert await cases.history(case) == [("run", "opened")]
