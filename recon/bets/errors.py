"""What this room refuses, in words that a caller can branch on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.bets.model import BY_HAND
from recon.errors import Conflict, NotFound, ReconError, Unavailable, Unprocessable
from recon.game import GameBusy

if TYPE_CHECKING:
    from recon.bets.model import Bet

__all__ = [
    "BetInProgressError",
    "BetNotActiveError",
    "BetNotFoundError",
    "BetRefusedError",
    "CallerKeyReusedError",
    "CashOutRefusedError",
    "GameBusyError",
    "GameUnreachableError",
    "RoundClosedError",
    "not_reached",
    "refusal_of",
]

GAME_UNAVAILABLE: Final = "game_unavailable"
ROUND_CLOSED: Final = "round_closed"

_MESSAGES: Final = {
    "insufficient_balance": "the player has less than that available at the game",
    "currency_mismatch": "the player has no wallet in this currency at the game",
    "user_not_found": "the game does not know this player",
    "user_not_allowed": "the game does not let this player bet",
    "not_found": "the game knows no such round",
    BY_HAND: "people have found that there is no such bet",
}


class BetInProgressError(Unavailable):
    """The first attempt with this key is just ending; the same request finds out how.

    It passes, so it is no `Conflict`: that would be kept as the answer to the key for ever.
    """

    code = "bet_in_progress"


class BetNotFoundError(NotFound):
    """There is no such bet."""

    code = "bet_not_found"


class RoundClosedError(Conflict):
    """The round takes no more bets; the stake is the player's again."""

    code = ROUND_CLOSED


class BetNotActiveError(Conflict):
    """The bet cannot be cashed out: it is not in play any more, or not yet."""

    code = "bet_not_active"


class CashOutRefusedError(Conflict):
    """The game refused the cash-out; the bet is in play as before."""

    code = "below_auto_cashout"


class BetRefusedError(Unprocessable):
    """The game refused the bet for good, by ``code``; the stake is the player's again."""

    code = "bet_refused"


class CallerKeyReusedError(Unprocessable):
    """The caller's name for this intent stands for another bet."""

    code = "idempotency_key_reused"


class TicketTakenError(Conflict):
    """The ticket that the game names stands for another bet."""

    code = "ticket_taken"


class GameUnreachableError(Unavailable):
    """The game could not be reached and did nothing; the same request may be sent again."""

    code = GAME_UNAVAILABLE


class GameBusyError(Unavailable):
    """The game is there, and its rate limit leaves us no turn now; nothing was done."""

    code = GameBusy.code


def not_reached(error: Unavailable, left: str) -> Unavailable:
    """What a call that certainly had no effect is to whoever wanted it.

    Args:
        error: the client's: there was no turn, nobody answered, or we are not let in.
        left: how everything stands now, in words.
    """
    if isinstance(error, GameBusy):
        return GameBusyError(
            f"the game takes no more calls from us just now; {left}",
            retry_after_s=error.retry_after_s,
        )
    return GameUnreachableError(
        f"the game cannot be reached; {left}", retry_after_s=error.retry_after_s
    )


def refusal_of(bet: Bet) -> ReconError:
    """The error that a rejected bet is to its caller."""
    reason = bet.reason or "bet_refused"
    if reason == GAME_UNAVAILABLE:
        return GameUnreachableError(
            "the game cannot be reached; no bet was placed and the stake is free again"
        )
    if reason == ROUND_CLOSED:
        return RoundClosedError(f"round {bet.round_id} takes no more bets")
    code = "round_not_found" if reason == "not_found" else reason
    return BetRefusedError(_MESSAGES.get(reason, f"the game refused the bet: {reason}"), code=code)
