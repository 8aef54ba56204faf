"""Finish a bet whose placing was left unknown: ask first, send again only what cannot do harm.

The order of the two questions is what makes an answer final. The round is asked for first: once it
is seen closed, no hold and no confirm can succeed any more, whatever is still on its way, so that
"the key led to nothing" holds for ever after: for as long as the game keeps keys, that is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.bets import rules
from recon.bets.confirming import RETURNED, confirm_hold, give_back, release, ticket_found
from recon.bets.errors import ROUND_CLOSED
from recon.bets.rounds import Phase
from recon.game import GameRefused, KeyOutcome, Refusal

if TYPE_CHECKING:
    from recon.bets.calls import Line
    from recon.bets.model import Bet
    from recon.bets.rounds import Rounds
    from recon.bets.rules import Step
    from recon.game import Hold

__all__ = ["finish_placing"]

# A refusal of these statuses is the key's stored answer: had an earlier attempt under it succeeded,
# its success would have been repeated. Others are given before the game looks at the key.
_STORED: Final = frozenset({409, 422})


async def finish_placing(line: Line, bet: Bet, rounds: Rounds) -> Step:
    """What becomes of a bet in ``placing``.

    Raises:
        UNANSWERED: the game did not answer; nothing can be concluded.
    """
    phase = await rounds.phase(bet.round_id)
    try:
        found = await line.ask_by_key()
    except GameRefused as refusal:
        if refusal.code != Refusal.USER_NOT_FOUND:
            return rules.unsettled(bet, f"the game does not tell: {refusal}", at=line.now())
        found = KeyOutcome(hold=None, bet=None)
    if found.bet is not None:
        return ticket_found(line, bet, found.bet)
    if found.hold is None:
        return await _without_hold(line, bet, phase)
    return await _with_hold(line, bet, found.hold, phase)


async def _with_hold(line: Line, bet: Bet, hold: Hold, phase: Phase) -> Step:
    if not rules.is_about(bet, hold):
        if hold.status in RETURNED and rules.was_mismatched(bet):
            return rules.rejected(bet, ROUND_CLOSED, at=line.now())
        said = f"hold {hold.hold_id} is {hold.amount} on round {hold.round_id}"
        return rules.mismatched(bet, said, at=line.now())
    if hold.auto_cashout != bet.auto_cashout:
        # Another bet than was wished for, and none yet: it must not become one.
        return await give_back(line, bet, hold, "auto_cashout_mismatch")
    if phase is Phase.BETTING:
        return await confirm_hold(line, bet, hold.hold_id)
    return await give_back(line, bet, hold, ROUND_CLOSED)


async def _without_hold(line: Line, bet: Bet, phase: Phase) -> Step:
    at = line.now()
    if bet.game_hold_id is not None and phase is not Phase.BETTING:
        # A confirm was sent. That its hold can be released proves more than an unknown key.
        return await release(line, bet, bet.game_hold_id, ROUND_CLOSED)
    if at - bet.created_at > rules.KEY_KEPT:
        # Forgotten or never heard of: the answer is the same. A bet may have come of it.
        return rules.unsettled(bet, rules.ASKED_TOO_LATE, at=at)
    if phase is Phase.BETTING:
        return await _hold_again(line, bet)
    if phase is Phase.CLOSED or at - bet.created_at > rules.OLD:
        return rules.rejected(bet, ROUND_CLOSED, at=at)
    return rules.unsettled(bet, f"the game knows no round {bet.round_id}", at=at)


async def _hold_again(line: Line, bet: Bet) -> Step:
    try:
        hold = await line.hold()
    except GameRefused as refusal:
        if refusal.status in _STORED and refusal.code != Refusal.IDEMPOTENCY_KEY_REUSED:
            return rules.rejected(bet, refusal.code, at=line.now())
        return rules.unsettled(bet, f"the hold is refused: {refusal}", at=line.now())
    return await confirm_hold(line, bet, hold.hold_id)
