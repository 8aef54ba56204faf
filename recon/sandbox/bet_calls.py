"""The betting calls of the game API, and asking what they led to."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from recon.errors import Invalid
from recon.money import format_minor, parse_minor
from recon.sandbox.betting import Stake, confirm, place_hold, release
from recon.sandbox.curve import ONE, as_multiplier
from recon.sandbox.wire import Answer, Refused, encode

if TYPE_CHECKING:
    from recon.sandbox.call import Call

__all__ = [
    "asked_bet",
    "asked_by_key",
    "asked_payout",
    "cash_out",
    "confirm_hold",
    "new_hold",
    "release_hold",
]

_HIGHEST_TARGET: Final = Decimal(1_000_000)


def new_hold(call: Call) -> Answer:
    """``POST /api/v1/bets/holds``: 201 with the hold.

    Raises:
        Refused: ``validation_failed``, or as `place_hold`.
    """
    asked = call.json()
    round_id = _text(asked, "round_id")
    currency = _text(asked, "currency")
    try:
        amount_minor = parse_minor(_text(asked, "amount"), currency)
    except Invalid as error:
        raise Refused("validation_failed", error.message) from None
    if amount_minor <= 0:
        raise Refused("validation_failed", "amount must be above zero")
    stake = Stake(
        round_id=round_id,
        user_id=call.user_id,
        amount_minor=amount_minor,
        currency=currency,
        auto_cashout=_target(asked),
        idempotency_key=call.idempotency_key,
    )
    return Answer(201, encode(place_hold(call.sandbox.book, stake, call.reached).as_json()))


def confirm_hold(call: Call) -> Answer:
    """``POST /api/v1/bets/holds/{hold_id}/confirm``: 201 with the bet.

    Raises:
        Refused: ``not_found``, or as `confirm`.
    """
    call.json()
    book = call.sandbox.book
    hold = book.hold_of(call.request.match_info["hold_id"], call.user_id)
    return Answer(201, encode(confirm(book, hold, call.reached).as_json()))


def release_hold(call: Call) -> Answer:
    """``POST /api/v1/bets/holds/{hold_id}/release``: 200 with the hold.

    Raises:
        Refused: ``not_found``, or as `release`.
    """
    call.json()
    book = call.sandbox.book
    hold = book.hold_of(call.request.match_info["hold_id"], call.user_id)
    return Answer(200, encode(release(book, hold).as_json()))


def cash_out(call: Call) -> Answer:
    """``POST /api/v1/bets/{ticket_id}/cashout``: 200 with the multiplier and the pending payout.

    Raises:
        Refused: ``not_found``, or as `Settlement.cash_out`.
    """
    call.json()
    bet = call.sandbox.book.bet_of(call.request.match_info["ticket_id"], call.user_id)
    payout = call.sandbox.settlement.cash_out(bet, call.reached)
    return Answer(
        200,
        encode(
            {
                "ticket_id": bet.ticket_id,
                "multiplier": as_multiplier(bet.cashed_at or ONE),
                "payout": {
                    "transaction_id": payout.transaction_id,
                    "amount": format_minor(payout.amount_minor, bet.hold.currency),
                    "currency": bet.hold.currency,
                    "status": payout.status,
                },
            }
        ),
    )


def asked_bet(call: Call) -> Answer:
    """``GET /api/v1/bets/{ticket_id}``.

    Raises:
        Refused: ``not_found``.
    """
    bet = call.sandbox.book.bet_of(call.request.match_info["ticket_id"], call.user_id)
    return Answer(200, encode(bet.as_json()), {"Cache-Control": "no-store"})


def asked_by_key(call: Call) -> Answer:
    """``GET /api/v1/bets?idempotency_key=K``: what that hold's key led to, nulls for nothing.

    Raises:
        Refused: ``validation_failed`` without the key.
    """
    key = call.request.query.get("idempotency_key", "")
    if not key:
        raise Refused("validation_failed", "idempotency_key must be given")
    hold = call.sandbox.book.by_key.get((call.user_id, key))
    bet = hold.bet if hold else None
    body = {"hold": hold.as_json() if hold else None, "bet": bet.as_json() if bet else None}
    return Answer(200, encode(body), {"Cache-Control": "no-store"})


def asked_payout(call: Call) -> Answer:
    """``GET /api/v1/payouts/{transaction_id}``.

    Raises:
        Refused: ``not_found``.
    """
    name = call.request.match_info["transaction_id"]
    payout = call.sandbox.book.payout_of(name, call.user_id)
    return Answer(200, encode(payout.as_json()), {"Cache-Control": "no-store"})


def _text(asked: dict[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not value:
        raise Refused("validation_failed", f"{name} must be a string")
    return value


def _target(asked: dict[str, Any]) -> int | None:
    """The auto cash-out target in hundredths: a JSON number above 1, or null."""
    if "auto_cashout" not in asked:
        raise Refused("validation_failed", "auto_cashout must be a number or null")
    value = asked["auto_cashout"]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Refused("validation_failed", "auto_cashout must be a number or null")
    target = Decimal(value)
    if not 1 < target <= _HIGHEST_TARGET or target != round(target, 2):
        raise Refused(
            "validation_failed",
            f"auto_cashout must lie above 1, up to {_HIGHEST_TARGET}, with two decimal places",
        )
    return int(target * ONE)
