"""Cash a bet out: the intent, the call and the outcome, each in its own commit."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from recon import clock
from recon.bets import queries, rules
from recon.bets.calls import UNANSWERED, Line, Means
from recon.bets.errors import (
    GAME_UNAVAILABLE,
    BetNotActiveError,
    BetNotFoundError,
    CashOutRefusedError,
    not_reached,
)
from recon.bets.model import BetState
from recon.bets.outcomes import commit
from recon.bets.settle import settle, settle_payout, ticket_of
from recon.game import (
    GameMisconfigured,
    GameRefused,
    GameUnavailable,
    Refusal,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from recon.bets.desk import Desk
    from recon.bets.model import Bet
    from recon.bets.rules import Step
    from recon.db import Pool
    from recon.errors import ReconError, Unavailable
    from recon.game import GameClient
    from recon.http.idempotency import Receipt

__all__ = ["cash_out"]


async def cash_out(
    pool: Pool,
    game: GameClient,
    bet_id: UUID,
    *,
    now: Callable[[], datetime] = clock.now,
    new_id: Callable[[], UUID] = clock.new_id,
    desk: Desk | None = None,
    receipt: Receipt | None = None,
) -> Bet:
    """Cash a bet out; asked again while it is under way, nothing more is sent.

    Args:
        pool: the database.
        game: where the bet is.
        bet_id: the bet.
        now: the clock.
        new_id: makes the key of a later cash-out where this one is refused.
        desk: where commits are shared.
        receipt: of the caller's request, which is answered with the outcome.

    Returns:
        The bet: ``cashed_out`` once its payout is booked, else ``cashing_out``.

    Raises:
        BetNotFoundError: no such bet.
        BetNotActiveError: not placed yet, lost, void or rejected, or its round does not fly.
        CashOutRefusedError: refused; the bet is in play as before.
        GameUnreachableError: the game was not reached; the bet is in play as before.
        GameBusyError: its rate limit left no turn; likewise.
    """
    means = Means(pool, game, now, new_id, desk)
    bet, ours = await _begin(means, bet_id)
    if not ours:
        return _told(bet)
    line = Line(means, bet)
    step, failure = await _attempt(line, bet)
    come_to = partial(_told, refusal=step.refusal, failure=failure)
    return come_to(await commit(means, step, line.attempts, receipt=receipt, come_to=come_to))


def _told(bet: Bet, *, refusal: str | None = None, failure: Unavailable | None = None) -> Bet:
    """What its caller hears of a bet.

    Raises:
        ReconError: it is not being cashed out; by ``failure`` where the game was not reached.
    """
    if bet.state in {BetState.CASHING_OUT, BetState.CASHED_OUT}:
        return bet
    if failure is not None and bet.state is BetState.PLACED:
        raise failure
    raise _refused(bet, refusal)


async def _begin(means: Means, bet_id: UUID) -> tuple[Bet, bool]:
    """The bet, and whether the intent is newly ours."""
    at = means.now()
    async with means.pool.acquire() as connection:
        known = await queries.bet_by_id(connection, bet_id)
        if known is None:
            raise BetNotFoundError(f"there is no bet {bet_id}")
        if known.state is not BetState.PLACED:
            return known, False
        claimed = await queries.claim_cash_out(connection, known, at=at, until=at + rules.CLAIM)
        if claimed is not None:
            return claimed, True
        return await queries.bet_by_id(connection, bet_id) or known, False


async def _attempt(line: Line, bet: Bet) -> tuple[Step, Unavailable | None]:
    """The first attempt under its key: a certain failure leaves the bet in play.

    Returns:
        What comes of it, and why the game was not reached where it was not.
    """
    try:
        cashed = await line.cash_out(ticket_of(bet))
    except GameRefused as refusal:
        return await _after_refusal(line, bet, refusal), None
    except (GameUnavailable, GameMisconfigured) as error:
        failure = not_reached(error, "the bet is in play as before")
        again = rules.in_play_again(bet, GAME_UNAVAILABLE, next_key=bet.cashout_key, at=line.now())
        return again, failure
    except UNANSWERED:
        return rules.waiting(bet, at=line.now()), None
    step = await settle_payout(
        line,
        bet,
        cashed.payout.transaction_id,
        multiplier=cashed.multiplier,
        promised=cashed.payout.amount,
    )
    return step, None


async def _after_refusal(line: Line, bet: Bet, refusal: GameRefused) -> Step:
    at = line.now()
    if refusal.code == Refusal.IDEMPOTENCY_KEY_REUSED:
        return rules.unsettled(bet, f"the cash-out key is refused: {refusal}", at=at)
    again = rules.in_play_again(bet, refusal.code, next_key=line.next_key(), at=at)
    if refusal.code != Refusal.BET_NOT_ACTIVE:
        return again
    # The round may have crashed, or its own target or another may have cashed it out before.
    try:
        settled = await settle(line, again.bet)
    except UNANSWERED:
        return again
    return again if settled.bet.state is BetState.PLACED else settled


def _refused(bet: Bet, refusal: str | None) -> ReconError:
    if bet.state is not BetState.PLACED or refusal in {None, Refusal.BET_NOT_ACTIVE}:
        why = f"it is {bet.state}" if bet.state is not BetState.PLACED else "its round does not fly"
        return BetNotActiveError(f"bet {bet.bet_id} cannot be cashed out: {why}")
    return CashOutRefusedError(
        f"the game refused to cash out bet {bet.bet_id}: {refusal}", code=refusal
    )
