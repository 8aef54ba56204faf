"""Place a bet: the intent and the hold in one commit, the game's two calls, the outcome in another.

The verb is not shielded: whoever may be cancelled shields it. Wherever it ends, between any two
awaits, the bet is either not there or due, and `recon.bets.resolve_due` finishes it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from recon import clock
from recon.bets import queries, rules
from recon.bets.calls import UNANSWERED, Line, Means
from recon.bets.confirming import confirm_hold
from recon.bets.errors import (
    GAME_UNAVAILABLE,
    BetInProgressError,
    CallerKeyReusedError,
    not_reached,
    refusal_of,
)
from recon.bets.model import Bet, BetState
from recon.bets.opening import ANSWERED, KNOWN, Opening, open_each
from recon.bets.outcomes import commit
from recon.errors import Invalid
from recon.game import GameMisconfigured, GameRefused, GameUnavailable, Refusal, hold_body
from recon.http.idempotency import AnsweredBeforeError
from recon.ledger import HoldResolvedError, InsufficientBalanceError, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from recon.bets.desk import Desk
    from recon.bets.model import BetWish
    from recon.bets.rules import Step
    from recon.db import Pool
    from recon.errors import Unavailable
    from recon.game import GameClient
    from recon.http.idempotency import Receipt

__all__ = ["place_bet"]

_log = structlog.get_logger(__name__)

_LOOKS: Final = 3
"""How often an intent that is taken and gone again is tried, before the caller is to come again."""


async def place_bet(
    pool: Pool,
    game: GameClient,
    wish: BetWish,
    *,
    caller_key: str,
    now: Callable[[], datetime] = clock.now,
    new_id: Callable[[], UUID] = clock.new_id,
    desk: Desk | None = None,
    receipt: Receipt | None = None,
) -> Bet:
    """Place a bet once per (player, caller's key); asked again, it is the same bet as it is now.

    Args:
        pool: the database.
        game: where the bet is placed.
        wish: what is asked for.
        caller_key: the caller's name for this intent, unique for ever.
        now: the clock.
        new_id: makes the bet's id and its idempotency keys.
        desk: where commits are shared.
        receipt: of the caller's request: begun with the intent, answered with the outcome.

    Returns:
        The bet: ``placed``, or ``placing`` while its outcome is not known.

    Raises:
        AnsweredBeforeError: the receipt's request is known; nothing was looked at.
        Invalid: the wish cannot be sent as it stands.
        InsufficientBalanceError: the stake is not available; nothing was written.
        CallerKeyReusedError: the key stands for another bet.
        BetInProgressError: an earlier attempt with the key is just ending; ask again.
        RoundClosedError: the round takes no more bets.
        BetRefusedError: the game refused for good.
        GameUnreachableError: the game was not reached; the same key may be used again.
        GameBusyError: its rate limit left no turn; likewise.
    """
    means = Means(pool, game, now, new_id, desk)
    bet, ours = await _open(means, _intent(means, wish, caller_key), receipt)
    if ours:
        line = Line(means, bet)
        step, failure = await _attempt(line, bet)
        come_to = partial(_told, failure=failure)
        bet = await commit(means, step, line.attempts, receipt=receipt, come_to=come_to)
        return come_to(bet)
    return _told(bet)


def _intent(means: Means, wish: BetWish, caller_key: str) -> Bet:
    wish.check()
    stake, at = wish.stake(), means.now()
    return Bet(
        user_id=wish.user_id,
        bet_id=means.new_id(),
        caller_key=caller_key,
        round_id=wish.round_id,
        stake=stake,
        auto_cashout=wish.auto_cashout,
        state=BetState.PLACING,
        hold_body=hold_body(wish.round_id, stake, wish.auto_cashout),
        hold_key=means.new_id(),
        confirm_key=means.new_id(),
        release_key=means.new_id(),
        cashout_key=means.new_id(),
        game_hold_id=None,
        ticket_id=None,
        payout_transaction_id=None,
        payout=None,
        cashout_multiplier=None,
        reason=None,
        placed_at=None,
        settled_at=None,
        created_at=at,
        updated_at=at,
        due_at=at + rules.CLAIM,
        fence=1,
        looks=0,
    )


async def _open(means: Means, intent: Bet, receipt: Receipt | None) -> tuple[Bet, bool]:
    """The bet behind an intent, and whether it is ours to carry out."""
    for _ in range(_LOOKS):
        begins = receipt is not None and not receipt.begun
        opening = Opening(intent, receipt.claim if receipt is not None and begins else None)
        outcome = await _take_stake(means, opening)
        if outcome == ANSWERED:
            raise AnsweredBeforeError
        if receipt is not None:
            receipt.begun = True
        if outcome != KNOWN:
            _check(intent, outcome)
            return intent, True
        async with means.pool.acquire() as connection:
            known = await queries.bet_by_caller_key(connection, intent.user_id, intent.caller_key)
        if known is None:
            # It was given back before it could be read.
            continue
        if known.hold_body != intent.hold_body:
            raise CallerKeyReusedError("this key stands for another bet of this player")
        return known, False
    raise BetInProgressError("the first attempt with this key is just ending", retry_after_s=1)


async def _take_stake(means: Means, opening: Opening) -> str:
    if means.desk is not None:
        return await means.desk.open(opening)
    (outcome,) = await open_each(means.pool, [opening])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _check(intent: Bet, outcome: str) -> None:
    """Raise what the ledger's refusal of a hold is to the caller."""
    if outcome == Outcome.INSUFFICIENT:
        raise InsufficientBalanceError("the player has less than that available")
    if outcome != Outcome.POSTED:
        raise HoldResolvedError(f"hold {intent.bet_id} cannot be opened: {outcome}")


def _told(bet: Bet, failure: Unavailable | None = None) -> Bet:
    """What its caller hears of a bet.

    Raises:
        ReconError: it was rejected; by ``failure`` where the game was not reached.
    """
    if bet.state is BetState.REJECTED:
        unreached = failure is not None and bet.reason == GAME_UNAVAILABLE
        raise failure if failure is not None and unreached else refusal_of(bet)
    return bet


async def _attempt(line: Line, bet: Bet) -> tuple[Step, Unavailable | None]:
    """The first attempt: nothing was sent before it, so that a certain failure frees the stake.

    Returns:
        What comes of it, and why the game was not reached where it was not.
    """
    try:
        hold = await line.hold()
    except (GameRefused, Invalid) as refusal:
        if refusal.code == Refusal.IDEMPOTENCY_KEY_REUSED:
            said = f"the hold key is refused: {refusal}"
            return rules.unsettled(bet, said, at=line.now()), None
        return rules.rejected(bet, refusal.code, at=line.now()), None
    except (GameUnavailable, GameMisconfigured) as error:
        _log.warning("game_not_reached", bet_id=str(bet.bet_id), error=error.message)
        failure = not_reached(error, "no bet was placed and the stake is free again")
        return rules.rejected(bet, GAME_UNAVAILABLE, at=line.now()), failure
    except UNANSWERED:
        return rules.waiting(bet, at=line.now()), None
    return await confirm_hold(line, bet, hold.hold_id), None
