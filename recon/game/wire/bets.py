"""The bodies of holds and bets, and of what became of a key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from recon.errors import Invalid
from recon.game.errors import GameProtocolError
from recon.game.model import Bet, BetStatus, Hold, KeyOutcome
from recon.game.wire.scalars import (
    Decoder,
    Id,
    Instant,
    is_sensible,
    read_id,
    read_instant,
    read_multiplier_or_none,
    read_stake,
)
from recon.money import Money

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "HoldRequest",
    "hold_body",
    "read_bet",
    "read_hold",
    "read_hold_request",
    "read_key_outcome",
    "read_release",
]


class HoldRequest(msgspec.Struct, frozen=True):
    """What a hold's body asks for; ``amount`` and ``currency`` as text, the target as written."""

    round_id: Id
    amount: str
    currency: str
    auto_cashout: msgspec.Raw

    def stake(self) -> Money:
        """The stake as money."""
        return Money.parse(self.amount, self.currency)

    def target(self) -> Decimal | None:
        """The multiplier at which the game is to cash out by itself, if any."""
        return read_multiplier_or_none(self.auto_cashout, "auto_cashout")


class _Hold(msgspec.Struct, frozen=True):
    hold_id: Id
    round_id: Id
    user_id: str
    amount: str
    currency: str
    auto_cashout: msgspec.Raw
    status: str
    expires_at: Instant


class _Release(msgspec.Struct, frozen=True):
    # The contract names no body for a release, so a sound one may say nothing; what it does say
    # must be about this hold.
    hold_id: Id | None = None


class _Bet(msgspec.Struct, frozen=True):
    ticket_id: Id
    hold_id: Id
    round_id: Id
    user_id: str
    amount: str
    currency: str
    auto_cashout: msgspec.Raw
    status: BetStatus
    cashout_multiplier: msgspec.Raw
    payout_transaction_id: Id | None
    placed_at: Instant


class _KeyOutcome(msgspec.Struct, frozen=True):
    hold: _Hold | None
    bet: _Bet | None


_hold_request: Final = Decoder(HoldRequest, what="hold request")
_hold: Final = Decoder(_Hold, what="hold")
_release: Final = Decoder(_Release, what="release")
_bet: Final = Decoder(_Bet, what="bet")
_key_outcome: Final = Decoder(_KeyOutcome, what="answer about a key")


def hold_body(round_id: str, amount: Money, auto_cashout: Decimal | None) -> bytes:
    """The exact bytes of a hold's body; keep them, every attempt under one key sends the same.

    Args:
        round_id: the round to bet on.
        amount: the stake, above zero.
        auto_cashout: the multiplier at which the game cashes out by itself; written as a JSON
            number digit for digit, or null.

    Raises:
        Invalid: ``invalid_amount`` for a stake of zero or less, ``invalid_multiplier``.
    """
    if amount.minor <= 0:
        raise Invalid("a stake is above zero", code="invalid_amount")
    target = b"null"
    if auto_cashout is not None:
        if not auto_cashout.is_finite() or auto_cashout <= 0:
            raise Invalid("a multiplier is a number above zero", code="invalid_multiplier")
        if not is_sensible(auto_cashout):
            raise Invalid("the multiplier has too many digits", code="invalid_multiplier")
        target = format(auto_cashout, "f").encode()
    return msgspec.json.encode(
        HoldRequest(round_id, str(amount), amount.currency, msgspec.Raw(target))
    )


def read_hold_request(body: bytes) -> HoldRequest:
    """A hold's body as kept by the caller.

    Raises:
        Invalid: ``invalid_hold_body``: these bytes were not made by `hold_body`.
    """
    try:
        asked = _hold_request(body)
        asked.stake()
        asked.target()
    except (GameProtocolError, Invalid) as error:
        raise Invalid(f"not a hold's body: {error}", code="invalid_hold_body") from error
    return asked


def read_hold(body: bytes) -> Hold:
    """A hold."""
    return _hold_model(_hold(body))


def read_release(body: bytes) -> str | None:
    """The hold that a release speaks of, None where it names none."""
    return _release(body).hold_id if body.strip() else None


def read_bet(body: bytes) -> Bet:
    """A bet."""
    return _bet_model(_bet(body))


def read_key_outcome(body: bytes) -> KeyOutcome:
    """What a key led to."""
    wire = _key_outcome(body)
    return KeyOutcome(
        hold=None if wire.hold is None else _hold_model(wire.hold),
        bet=None if wire.bet is None else _bet_model(wire.bet),
    )


def _hold_model(wire: _Hold) -> Hold:
    return Hold(
        hold_id=read_id(wire.hold_id, "hold_id"),
        round_id=read_id(wire.round_id, "round_id"),
        user_id=wire.user_id,
        amount=read_stake(wire.amount, wire.currency),
        auto_cashout=read_multiplier_or_none(wire.auto_cashout, "auto_cashout"),
        status=wire.status,
        expires_at=read_instant(wire.expires_at, "expires_at"),
    )


def _bet_model(wire: _Bet) -> Bet:
    payout_id = wire.payout_transaction_id
    return Bet(
        ticket_id=read_id(wire.ticket_id, "ticket_id"),
        hold_id=read_id(wire.hold_id, "hold_id"),
        round_id=read_id(wire.round_id, "round_id"),
        user_id=wire.user_id,
        amount=read_stake(wire.amount, wire.currency),
        auto_cashout=read_multiplier_or_none(wire.auto_cashout, "auto_cashout"),
        status=wire.status,
        cashout_multiplier=read_multiplier_or_none(wire.cashout_multiplier, "cashout_multiplier"),
        payout_transaction_id=None if payout_id is None else read_id(payout_id, "payout's id"),
        placed_at=read_instant(wire.placed_at, "placed_at"),
    )
