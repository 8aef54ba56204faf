"""What the tests of rulings share: bets that wait for people, and people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.bets.by_hand import (
    Ruling,
    RulingOutcome,
    RulingWish,
    approve_ruling,
    propose_ruling,
    read_ruling,
)
from recon.bets.settle import ticket_of
from recon.clock import new_id
from recon.four_eyes import Step
from tests.bets.test_for_people import HOUR_S, in_play

if TYPE_CHECKING:
    from recon.bets import Bet
    from tests.bets.conftest import World

LOST, VOID, CASHED_OUT = RulingOutcome.LOST, RulingOutcome.VOID, RulingOutcome.CASHED_OUT


def by(actor: str) -> Step:
    """A fresh intent of somebody's."""
    return Step(actor, new_id())


def wish(outcome: RulingOutcome, **more: Any) -> RulingWish:  # noqa: ANN401 - as `RulingWish`
    """What ana says; a payout is of pounds."""
    if "payout" in more:
        more = {"currency": "GBP", "payout_transaction_id": "tx_by_support", **more}
    return RulingWish(outcome=outcome, reason="they looked it up", evidence="SUP-1", **more)


async def propose(
    world: World, bet: Bet, wanted: RulingWish, *, step: Step | None = None
) -> Ruling:
    return await propose_ruling(
        world.pool, bet.bet_id, wanted, step=step or by("ana"), now=world.clock.now
    )


async def approve(world: World, ruling: Ruling, *, step: Step | None = None) -> Ruling:
    return await approve_ruling(
        world.pool, ruling.ruling_id, "checked", step=step or by("leo"), now=world.clock.now
    )


async def read(world: World, ruling: Ruling) -> Ruling:
    async with world.pool.acquire() as connection:
        return await read_ruling(connection, ruling.ruling_id)


async def unknown(world: World) -> Bet:
    """A bet in ``placing`` that rests: the game speaks of a hold of 9.99."""
    await world.deposit("100.00")
    world.network.lose("POST /api/v1/bets/holds", "after")
    bet: Bet = await world.place()
    world.sandbox.book.by_key["u_1", str(bet.hold_key)].amount_minor = 9_99
    await world.resolve()
    return await world.bet(bet)


async def failed_payout(world: World) -> Bet:
    """A bet in ``cashing_out`` that rests: the game says that its payout has failed."""
    bet = await in_play(world)
    world.fly()
    await world.cash_out(bet)
    payout = world.sandbox.book.bets[ticket_of(bet)].payout
    assert payout is not None
    payout.status = "failed"
    await world.resolve()
    return await world.bet(bet)


async def stuck(world: World, **more: Any) -> Bet:  # noqa: ANN401 - as `World.wish`
    """A bet in ``placed`` that the game still has in play two hours later."""
    bet = await in_play(world, **more)
    world.end_round()
    world.sandbox.book.bets[ticket_of(bet)].status = "active"
    world.clock.passed_s += 2 * HOUR_S
    for _ in range(12):
        await world.resolve(after_s=30)
    return await world.bet(bet)
