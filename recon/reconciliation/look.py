"""Look at wallets: the ledger's snapshot, the game's answer, and the snapshot again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import structlog

from recon.db import load
from recon.errors import ReconError
from recon.game import GameRefused, Refusal
from recon.reconciliation.compare import Comparison, GameSays, Snapshot, Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import asyncpg

    from recon.reconciliation.model import Reconciler

__all__ = ["Look", "LookState", "look", "look_at_page"]

log = structlog.get_logger(__name__)
_T = TypeVar("_T")

# Two readings are equal without their last column, which says when they were made.
_READ_AT = -1
# How long an accepted withdrawal may still be at the game; Adyen, for one, never says paid.
_AMBIGUOUS_FOR = timedelta(days=7)

_UNKNOWN_THERE = {Refusal.USER_NOT_FOUND, Refusal.NOT_FOUND, Refusal.CURRENCY_MISMATCH}


class LookState(StrEnum):
    """What a look came to.

    ``moving``: the wallet changed while we looked, the difference means nothing. ``in_flight``: a
    bet's outcome is on its way, the difference is real and may be rightful.
    """

    AGREES = "agrees"
    DIFFERS = "differs"
    MOVING = "moving"
    IN_FLIGHT = "in_flight"
    UNANSWERED = "unanswered"


class Look(NamedTuple):
    """One look at one wallet; ``comparison`` is there unless the game did not answer."""

    user_id: str
    currency: str
    state: LookState
    comparison: Comparison | None
    reason: str | None = None


async def look(reconciler: Reconciler, user_id: str, currency: str) -> Look:
    """Read, ask the game, and where they differ read again: only a wallet at rest can differ."""
    before = await _snapshot_of(reconciler, user_id, currency)
    return await _bracket(reconciler, before)


async def look_at_page(
    reconciler: Reconciler,
    wallets: Sequence[tuple[str, str]],
    *,
    looked: Callable[[], None] = lambda: None,
) -> list[Look]:
    """Look at many wallets: one read for all, then a bracket of its own for each that needs it.

    Only a difference needs its second read at once. Those that agree are read again together when
    the page is through, which can take minutes: where the ledger's side has moved since, the
    agreement was with what is no more, and the wallet is looked at by itself. Each that the game
    has answered for is told by ``looked``.
    """

    async def one(snapshot: Snapshot) -> Look:
        first = await _ask(reconciler, snapshot)
        looked()
        if first.state is not LookState.DIFFERS:
            return first
        return await look(reconciler, snapshot.user_id, snapshot.currency)

    before = await _read(reconciler, wallets)
    looks = await _each(one, [_snapshot(row) for row in before], reconciler.concurrency)
    moved = [
        place
        for place, (was, row) in enumerate(
            zip(before, await _read(reconciler, wallets), strict=True)
        )
        if looks[place].state is LookState.AGREES and was[:_READ_AT] != row[:_READ_AT]
    ]

    async def again(place: int) -> Look:
        return await look(reconciler, *wallets[place])

    for place, second in zip(moved, await _each(again, moved, reconciler.concurrency), strict=True):
        looks[place] = second
    return looks


async def _each(
    make: Callable[[_T], Awaitable[Look]], given: Sequence[_T], at_once: int
) -> list[Look]:
    """What is made of each, in their order, so many at once."""
    made: list[Look | None] = [None] * len(given)
    places = iter(range(len(given)))

    async def work() -> None:
        for place in places:
            made[place] = await make(given[place])

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(min(at_once, len(given))):
                workers.create_task(work())
    except ExceptionGroup as failed:
        # Whoever asks knows an error of the database when it comes by itself.
        raise failed.exceptions[0] from failed
    return [one for one in made if one is not None]


async def _bracket(reconciler: Reconciler, before: Snapshot) -> Look:
    said = await _ask(reconciler, before)
    if said.state is not LookState.DIFFERS:
        return said
    after = await _snapshot_of(reconciler, before.user_id, before.currency)
    if after != before:
        state, reason = LookState.MOVING, "the wallet changed during the look"
    elif before.unsettled:
        state, reason = LookState.IN_FLIGHT, f"{before.unsettled} bets without an outcome"
    else:
        return said
    return Look(before.user_id, before.currency, state, said.comparison, reason)


async def _ask(reconciler: Reconciler, snapshot: Snapshot) -> Look:
    """Ask the game about one wallet; whatever stands in the way of that is this wallet's alone."""
    user_id, currency = snapshot.user_id, snapshot.currency
    try:
        says = await _what_the_game_says(reconciler, user_id, currency)
        comparison = compare(snapshot, says, tolerance=reconciler.tolerances.get(currency, 0))
    except ReconError as error:
        return Look(user_id, currency, LookState.UNANSWERED, None, error.message)
    except Exception as error:
        # Nobody foresaw it, so it needs people; the thousands of other wallets do not wait for it.
        log.exception("wallet_not_looked_at", user_id=user_id, currency=currency, error=repr(error))
        return Look(user_id, currency, LookState.UNANSWERED, None, "an unforeseen error of ours")
    agrees = comparison.verdict is Verdict.AGREES
    return Look(user_id, currency, LookState.AGREES if agrees else LookState.DIFFERS, comparison)


async def _what_the_game_says(reconciler: Reconciler, user_id: str, currency: str) -> GameSays:
    try:
        balance = await reconciler.game.balance(user_id, currency, wanted_as=reconciler.wanted_as)
    except GameRefused as error:
        if error.code not in _UNKNOWN_THERE:
            raise
        # Missing is not zero: where the ledger has nothing either there is nothing to compare, and
        # where it has something, what stands on the ladder is shown as a player unknown there.
        return GameSays(0, 0, None)
    return GameSays(balance.available_minor, balance.held_minor, balance.as_of)


async def _snapshot_of(reconciler: Reconciler, user_id: str, currency: str) -> Snapshot:
    (row,) = await _read(reconciler, [(user_id, currency)])
    return _snapshot(row)


async def _read(reconciler: Reconciler, wallets: Sequence[tuple[str, str]]) -> list[asyncpg.Record]:
    async with reconciler.pool.acquire() as connection:
        rows: list[asyncpg.Record] = await connection.fetch(
            load("recon.reconciliation", "snapshots"),
            [user_id for user_id, _ in wallets],
            [currency for _, currency in wallets],
            max(_AMBIGUOUS_FOR, reconciler.grace),
        )
    return rows


def _snapshot(row: asyncpg.Record) -> Snapshot:
    return Snapshot(
        user_id=row["user_id"],
        currency=row["currency"],
        available=int(row["available"]),
        held=int(row["held"]),
        reserved=int(row["reserved"]),
        version=row["version"],
        unreported=int(row["unreported"]),
        accepted=tuple(int(amount) for amount in row["accepted"]),
        unsettled=row["unsettled"],
        read_at=row["read_at"],
    )
