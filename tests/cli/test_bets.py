"""``recon bets``: what waits for people, proposed and decided from the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from recon.bets.by_hand import RulingOutcome, RulingWish, approve_ruling, propose_ruling
from recon.cli import recon
from recon.clock import new_id
from recon.errors import Invalid
from recon.four_eyes import SelfApprovalError, Step
from tests.web.test_bets import available, resting

if TYPE_CHECKING:
    from recon.db import Pool

Run = Callable[..., Awaitable[tuple[int, str]]]


@pytest.fixture
def run(database_url: str) -> Run:
    """Run ``recon …`` in a thread with a loop of its own: (code, stdout)."""

    async def command(*arguments: object) -> tuple[int, str]:
        result = await asyncio.to_thread(
            CliRunner(catch_exceptions=False).invoke,
            recon,
            ["--database-url", database_url, *map(str, arguments)],
        )
        return result.exit_code, result.stdout

    return command


async def test_what_waits_is_listed_and_a_proposal_is_approved_by_somebody_else(
    run: Run, pool: Pool
) -> None:
    bet_id, _ = await resting(pool)
    _, listed = await run("bets", "list", "--json")
    (waiting,) = json.loads(listed)
    assert (waiting["bet_id"], waiting["amount"], waiting["rests"]) == (str(bet_id), "10.00", True)
    assert "10.00 GBP" in (await run("bets", "list"))[1]
    assert "a deposit of which <b>nobody</b> spoke" in (await run("cases", "list"))[1]

    paid = ("--payout", "25.00", "--currency", "GBP", "--payout-transaction", "tx_9")
    said = ("--reason", "[/] looked up", "--evidence", "SUP-1", "--ticket", "t_9", *paid)
    code, out = await run("bets", "propose", bet_id, "cashed_out", *said, "--json")
    ruling = json.loads(out)
    assert (code, ruling["state"], ruling["proposed_by"]) == (0, "proposed", "cli")
    with pytest.raises(SelfApprovalError):
        await run("bets", "approve", ruling["ruling_id"])
    await approve_ruling(pool, ruling["ruling_id"], None, step=Step("leo", new_id()))

    code, shown = await run("bets", "show", bet_id)
    assert code == 0
    assert "cashed_out, settled_by_hand" in " ".join(shown.split())
    assert "([/] looked up; SUP-1): booked, by leo" in " ".join(shown.split())
    _, whole = await run("bets", "show", bet_id, "--json")
    assert [one["state"] for one in json.loads(whole)["rulings"]] == ["booked"]
    assert await available(pool) == ("115.00", "0.00")


async def test_what_somebody_else_proposed_is_rejected_or_approved_here(
    run: Run, pool: Pool
) -> None:
    bet_id, _ = await resting(pool)
    void = RulingWish(outcome=RulingOutcome.VOID, reason="r", evidence="e")
    first = await propose_ruling(pool, bet_id, void, step=Step("ana", new_id()))
    assert "rejected, by cli" in (await run("bets", "reject", first.ruling_id, "--reason", "no"))[1]
    second = await propose_ruling(pool, bet_id, void, step=Step("ana", new_id()))

    assert "booked, by cli" in (await run("bets", "approve", second.ruling_id))[1]
    assert await available(pool) == ("100.00", "0.00")
    with pytest.raises(Invalid):
        await run("bets", "propose", bet_id, "void", "--reason", " ", "--evidence", "e")
