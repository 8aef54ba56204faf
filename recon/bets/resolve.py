"""Finish what callers could not: unknown outcomes, payouts that complete, rounds that end.

Run by the jobs every second or so, in any number of processes. Each due bet is claimed by its
own conditional UPDATE for as long as the work may take, so that no lock is held while the game is
asked, and a bet whose process died is due again by itself.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import structlog

from recon import clock
from recon.bets import queries, rules
from recon.bets.calls import UNANSWERED, Line, Means
from recon.bets.finish_placing import finish_placing
from recon.bets.model import BetState
from recon.bets.outcomes import commit
from recon.bets.rounds import Rounds
from recon.bets.settle import settle
from recon.db.pool import database_fault
from recon.game import GameProtocolError, GameRefused, RoundStatus

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from recon.bets.model import Bet
    from recon.bets.queries import Due
    from recon.bets.rules import Step
    from recon.db import Pool
    from recon.game import GameClient, GameState

__all__ = ["Resolved", "resolve_all", "resolve_due"]

_log = structlog.get_logger(__name__)

_RUNNING: Final = frozenset({RoundStatus.BETTING, RoundStatus.ACTIVE})


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one tick came to.

    Attributes:
        due: bets that were due, at most ``limit``.
        claimed: those of them that nobody else was faster to claim.
        moved: those whose state changed.
        failed: those that ended in an error of ours; they are logged, and due again.
        reachable: False where the game did not answer, so that nothing was tried.
    """

    due: int = 0
    claimed: int = 0
    moved: int = 0
    failed: int = 0
    reachable: bool = True


async def resolve_all(
    pool: Pool,
    game: GameClient,
    *,
    now: Callable[[], datetime] = clock.now,
    limit: int = 500,
    patience_s: float = 1.0,
    at_once: int = 4,
) -> None:
    """Look after bets until none is due, ``limit`` at a time.

    Beside a look that takes long, because the game does not answer about one of its bets, the next
    begins: the others must not wait for it.

    Args:
        pool: the database.
        game: as for `resolve_due`.
        now: the clock.
        limit: at most so many bets in a look.
        patience_s: a look may take so long before the next one begins beside it.
        at_once: at most so many looks.
    """
    looks: set[asyncio.Task[Resolved]] = set()
    async with asyncio.TaskGroup() as group:
        while True:
            looks.add(group.create_task(resolve_due(pool, game, now=now, limit=limit)))
            done, looks = await asyncio.wait(looks, timeout=patience_s)
            if len(looks) >= at_once:
                ended, looks = await asyncio.wait(looks, return_when=asyncio.FIRST_COMPLETED)
                done |= ended
            is_more = any(one.result().claimed and one.result().due >= limit for one in done)
            # Where the game does not answer at all, the next tick is early enough.
            is_there = all(one.result().reachable for one in done)
            if not is_there or not (looks or is_more):
                return


async def resolve_due(
    pool: Pool,
    game: GameClient,
    *,
    now: Callable[[], datetime] = clock.now,
    new_id: Callable[[], UUID] = clock.new_id,
    limit: int = 500,
    concurrency: int = 16,
) -> Resolved:
    """Look after the bets that are due; those of the running round only once it decides them.

    Args:
        pool: the database.
        game: asked, and sent again what may be.
        now: the clock.
        new_id: makes ids of attempts and cases, and keys of further intents.
        limit: at most so many bets; as many due means that there may be more.
        concurrency: at most so many at once.
    """
    means = Means(pool, game, now, new_id)
    async with pool.acquire() as connection:
        if not await queries.any_due(connection, now()):
            return Resolved()
    try:
        state = await game.state()
    except (GameRefused, *UNANSWERED) as error:
        _log.warning("bets_wait_for_the_game", error=str(error))
        await _show_late(means, limit)
        return Resolved(reachable=False)
    due = await _due(means, state, limit)
    rounds, gate = Rounds(game, state), asyncio.Semaphore(concurrency)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_guarded(means, one, rounds, gate)) for one in due]
    results = [task.result() for task in tasks]
    return Resolved(
        due=len(due),
        claimed=sum(result is not None for result in results),
        moved=sum(result == "moved" for result in results),
        failed=sum(result == "failed" for result in results),
    )


async def _show_late(means: Means, limit: int) -> None:
    """While the game tells nothing at all, what waits for very long is shown to people too."""
    at = means.now()
    async with means.pool.acquire() as connection:
        late = await queries.late_bets(connection, at, created_by=at - rules.VERY_LATE, limit=limit)
        bets = [await queries.claim(connection, due, at=at, until=at + rules.CLAIM) for due in late]
    for bet in bets:
        if bet is not None:
            await commit(means, rules.waiting(bet, at=means.now()), [])


async def _due(means: Means, state: GameState, limit: int) -> list[Due]:
    running = state.round_id if state.status in _RUNNING else None
    flying = state.status is RoundStatus.ACTIVE and state.current_multiplier is not None
    at = means.now()
    async with means.pool.acquire() as connection:
        return await queries.due_bets(
            connection,
            at,
            limit=limit,
            old=at - rules.OLD,
            running_round=running,
            multiplier=(state.current_multiplier if flying else None) or Decimal(0),
        )


async def _guarded(means: Means, due: Due, rounds: Rounds, gate: asyncio.Semaphore) -> str | None:
    """``moved``, ``waits`` or ``failed``; None where somebody else was first."""
    async with gate:
        try:
            return await _resolve(means, due, rounds)
        except Exception:  # noqa: BLE001 - whatever it is, it is this bet's alone
            # One bet's fault must not keep the others waiting; its claim ends by itself.
            _log.exception("bet_not_resolved", bet_id=str(due[1]))
            return "failed"


async def _resolve(means: Means, due: Due, rounds: Rounds) -> str | None:
    at = means.now()
    async with means.pool.acquire() as connection:
        bet = await queries.claim(connection, due, at=at, until=at + rules.CLAIM)
    if bet is None:
        return None
    line = Line(means, bet)
    try:
        step = await _conclude(line, bet, rounds)
        after = await commit(means, step, line.attempts)
    except Exception as error:
        if database_fault(error) is None and at - bet.created_at > rules.OLD:
            # Ours, and every look ends in it.
            said = f"each look ends in a fault of ours: {type(error).__name__}"
            await commit(means, rules.unsettled(bet, said, at=line.now()), line.attempts)
        raise
    return "waits" if after.state is bet.state else "moved"


async def _conclude(line: Line, bet: Bet, rounds: Rounds) -> Step:
    try:
        if bet.state is BetState.PLACING:
            return await finish_placing(line, bet, rounds)
        return await settle(line, bet)
    except GameProtocolError as error:
        # It answers, and not as it should: that need not pass by itself, as an outage does.
        return rules.unsettled(bet, str(error), at=line.now())
    except (GameRefused, *UNANSWERED) as error:
        _log.info("bet_waits_for_the_game", bet_id=str(bet.bet_id), error=str(error))
        return rules.waiting(bet, at=line.now())
