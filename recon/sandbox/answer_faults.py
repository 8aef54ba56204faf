"""Faults between the game API and its caller: an answer lost, late, or turned into an error."""

from __future__ import annotations

import asyncio
import contextlib
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from recon.errors import Invalid
from recon.money import exponent_of, parse_minor
from recon.sandbox.wire import Answer, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.sandbox.call import Call

__all__ = ["with_fault"]

_KINDS: Final = ("answer_lost", "answer_500", "answer_503", "answer_429", "answer_slow")
_RETRY_AFTER_S: Final = 1
_NOT_SENT: Final = Answer(500, b"")


async def with_fault(call: Call, run: Callable[[], Answer], identity: str) -> Answer:
    """Run a call, or let a planted fault come between it and its caller.

    Args:
        call: authentic; names the hold, bet or payout in question.
        run: carries it out; never called twice.
        identity: of this attempt, so that the next one at the same call draws anew.

    Raises:
        Refused: what the fault answers instead.
    """
    kind = _draw(call, identity)
    if kind is None:
        return run()
    if kind == "answer_slow":
        await asyncio.sleep(call.sandbox.options.slow_answer_s)
        return run()
    if kind == "answer_429":
        raise Refused("rate_limited", "too many calls", retry_after_s=_RETRY_AFTER_S)
    if kind == "answer_lost" or _takes_effect(kind, identity):
        # What the call itself would have been answered, a refusal too, is never sent.
        with contextlib.suppress(Refused):
            run()
    if kind == "answer_lost":
        if call.request.transport is not None:
            call.request.transport.abort()
        return _NOT_SENT
    if kind == "answer_503":
        raise Refused("unavailable", "the game is out of reach", retry_after_s=_RETRY_AFTER_S)
    raise Refused("internal_error", "something went wrong")


def _draw(call: Call, identity: str) -> str | None:
    """The fault that strikes this attempt, recorded as planted; mostly None."""
    faults = call.sandbox.faults
    for kind in _KINDS:
        if not faults.rates.get(kind):
            continue
        if faults.strikes(kind, user_id=call.user_id, key=identity):
            currency, amount_minor = _subject(call)
            faults.plant(
                kind,
                user_id=call.user_id,
                currency=currency,
                amount_minor=amount_minor,
                must_lead_to=None,
            )
            return kind
    return None


def _takes_effect(kind: str, identity: str) -> bool:
    """Whether an error comes after the effect: in half of the cases, by the attempt's identity."""
    digest = sha256(f"{kind}\n{identity}".encode("utf-8", "surrogateescape")).digest()
    return digest[0] % 2 == 0


def _subject(call: Call) -> tuple[str, int]:
    """The money that the call is about: (currency, minor units)."""
    book = call.sandbox.book
    names = call.request.match_info
    hold = book.holds.get(names.get("hold_id", "")) or book.by_key.get(
        (call.user_id, call.request.query.get("idempotency_key", ""))
    )
    if hold is not None:
        return hold.currency, hold.amount_minor
    bet = book.bets.get(names.get("ticket_id", ""))
    if bet is not None:
        return bet.hold.currency, bet.hold.amount_minor
    payout = book.payouts.get(names.get("transaction_id", ""))
    if payout is not None:
        return payout.bet.hold.currency, payout.amount_minor
    try:
        asked = call.json()
        currency = str(asked.get("currency"))
        exponent_of(currency)
        return currency, parse_minor(str(asked.get("amount")), currency)
    except (Refused, Invalid):
        # An ask for a hold that never came to be: no money moved, the wallet is still named.
        return next(iter(call.sandbox.backend.players[call.user_id].wallets)), 0
