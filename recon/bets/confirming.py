"""From a hold of the game to a ticket, or back to the player."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from recon.bets import rules
from recon.bets.calls import UNANSWERED
from recon.bets.errors import ROUND_CLOSED
from recon.game import BetStatus, GameRefused, Refusal

if TYPE_CHECKING:
    from recon import game
    from recon.bets.calls import Line
    from recon.bets.model import Bet
    from recon.bets.rules import Step

__all__ = ["RETURNED", "confirm_hold", "give_back", "release", "ticket_found"]

# The statuses that the game's page leaves open; a hold in one of these is not held any more.
RETURNED: Final = frozenset({"released", "expired"})
"""A hold that is one of these has become no bet, and never will."""
_GONE: Final = frozenset({Refusal.HOLD_EXPIRED, Refusal.NOT_FOUND})
_TOO_LATE: Final = frozenset({Refusal.HOLD_EXPIRED, Refusal.ROUND_CLOSED})
# What these refuse was decided by the state of the hold, and is the answer to the key for good.
_DECIDED: Final = frozenset({409, 422})


async def confirm_hold(line: Line, bet: Bet, hold_id: str) -> Step:
    """Confirm a hold; a refusal is believed only once the game, asked by key, has no bet either."""
    # Whatever comes of it, it is known from now on that there may be a bet.
    bet = replace(bet, game_hold_id=hold_id)
    try:
        ticket = await line.confirm(hold_id)
    except GameRefused as refusal:
        if refusal.code == Refusal.IDEMPOTENCY_KEY_REUSED:
            return rules.unsettled(bet, f"the confirm key is refused: {refusal}", at=line.now())
        return await _refused(line, bet, refusal)
    except UNANSWERED:
        return rules.waiting(bet, at=line.now())
    return ticket_found(line, bet, ticket)


async def give_back(line: Line, bet: Bet, hold: game.Hold, reason: str) -> Step:
    """Have the game release its hold, then release ours; not before, lest a bet come of it."""
    if hold.status in RETURNED:
        return rules.rejected(bet, reason, at=line.now())
    return await release(line, bet, hold.hold_id, reason)


async def release(line: Line, bet: Bet, hold_id: str, reason: str) -> Step:
    """As `give_back`, of a hold of which no more is known than that there was one."""
    try:
        await line.release(hold_id)
    except GameRefused as refusal:
        if refusal.code not in _GONE:
            # It may have been confirmed after all: the next look asks by key again.
            return rules.unsettled(bet, f"the release is refused: {refusal}", at=line.now())
        return await _gone(line, bet, reason)
    except UNANSWERED:
        return rules.waiting(bet, at=line.now())
    return rules.rejected(bet, reason, at=line.now())


async def _gone(line: Line, bet: Bet, reason: str) -> Step:
    """The hold is none any more: it has lapsed, or a confirm that was on its way was faster."""
    try:
        found = await line.ask_by_key()
    except (GameRefused, *UNANSWERED):
        return rules.waiting(bet, at=line.now())
    if found.bet is not None:
        return ticket_found(line, bet, found.bet)
    if found.hold is not None and found.hold.status not in {"held", *RETURNED}:
        said = f"hold {found.hold.hold_id} is {found.hold.status}, and no bet"
        return rules.unsettled(bet, said, at=line.now())
    if found.hold is None and line.now() - bet.created_at > rules.KEY_KEPT:
        return rules.unsettled(bet, rules.ASKED_TOO_LATE, at=line.now())
    return rules.rejected(bet, reason, at=line.now())


def ticket_found(line: Line, bet: Bet, ticket: game.Bet) -> Step:
    """The bet that the game has, if it is ours."""
    if not rules.is_about(bet, ticket):
        if ticket.status is BetStatus.VOID and rules.was_mismatched(bet):
            return rules.rejected(bet, "void", at=line.now())
        said = f"ticket {ticket.ticket_id} is {ticket.amount} on round {ticket.round_id}"
        return rules.mismatched(bet, said, at=line.now())
    return rules.placed(bet, ticket, at=line.now())


async def _refused(line: Line, bet: Bet, refusal: GameRefused) -> Step:
    code = refusal.code
    try:
        found = await line.ask_by_key()
    except (GameRefused, *UNANSWERED):
        return rules.waiting(bet, at=line.now())
    if found.bet is not None:
        return ticket_found(line, bet, found.bet)
    reason = ROUND_CLOSED if code in _TOO_LATE else code
    if found.hold is not None:
        return await give_back(line, bet, found.hold, reason)
    if refusal.status not in _DECIDED:
        # It has given the hold, and knows nothing of it: whoever is asked is behind.
        return rules.unsettled(bet, f"the game's hold is gone: {refusal}", at=line.now())
    return rules.rejected(bet, reason, at=line.now())
