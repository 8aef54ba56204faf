"""The bodies of the game API, to and from bytes. Pure.

Amounts are decimal strings and multipliers JSON numbers; each is read exactly and the other form is
refused. Fields that we do not know are ignored, a field that is missing or of another type is a
`GameProtocolError`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Generic, TypeVar

import msgspec

from recon.errors import Invalid
from recon.game.errors import GameProtocolError
from recon.game.model import (
    Bet,
    BetStatus,
    CashOut,
    GameBalance,
    GameRound,
    GameState,
    Hold,
    KeyOutcome,
    Payout,
    PayoutStatus,
    RoundStatus,
)
from recon.money import Money, parse_minor

__all__ = [
    "ErrorBody",
    "HoldRequest",
    "hold_body",
    "read_balance",
    "read_bet",
    "read_cash_out",
    "read_error",
    "read_hold",
    "read_hold_request",
    "read_key_outcome",
    "read_payout",
    "read_release",
    "read_round",
    "read_rounds",
    "read_state",
]

_MAX_MULTIPLIER_CHARS: Final = 64
"""Longer is no multiplier, and a short text such as 1e999999 would cost us megabytes later."""
_MAX_MULTIPLIER_EXPONENT: Final = 30

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]
_Count = Annotated[int, msgspec.Meta(ge=0)]
_T = TypeVar("_T")


class HoldRequest(msgspec.Struct, frozen=True):
    """What a hold's body asks for; ``amount`` and ``currency`` as text, the target as written."""

    round_id: _Id
    amount: str
    currency: str
    auto_cashout: msgspec.Raw

    def stake(self) -> Money:
        """The stake as money."""
        return Money.parse(self.amount, self.currency)

    def target(self) -> Decimal | None:
        """The multiplier at which the game is to cash out by itself, if any."""
        return _multiplier_or_none(self.auto_cashout, "auto_cashout")


class ErrorBody(msgspec.Struct, frozen=True):
    """Every error of the game API."""

    code: _Id
    message: str
    request_id: str


class _State(msgspec.Struct, frozen=True):
    round_id: _Id
    current_multiplier: msgspec.Raw
    status: RoundStatus
    elapsed_ms: _Count
    timestamp: _Instant
    participants: _Count


class _Round(msgspec.Struct, frozen=True):
    round_id: _Id
    status: RoundStatus
    crash_multiplier: msgspec.Raw
    started_at: _Instant | None
    crashed_at: _Instant | None
    participants: _Count


class _Rounds(msgspec.Struct, frozen=True):
    rounds: list[_Round]


class _Balance(msgspec.Struct, frozen=True):
    user_id: str
    currency: str
    available: str
    held: str
    as_of: _Instant


class _Hold(msgspec.Struct, frozen=True):
    hold_id: _Id
    round_id: _Id
    user_id: str
    amount: str
    currency: str
    auto_cashout: msgspec.Raw
    status: str
    expires_at: _Instant


class _Release(msgspec.Struct, frozen=True):
    # The contract names no body for a release, so a sound one may say nothing; what it does say
    # must be about this hold.
    hold_id: _Id | None = None


class _Bet(msgspec.Struct, frozen=True):
    ticket_id: _Id
    hold_id: _Id
    round_id: _Id
    user_id: str
    amount: str
    currency: str
    auto_cashout: msgspec.Raw
    status: BetStatus
    cashout_multiplier: msgspec.Raw
    payout_transaction_id: _Id | None
    placed_at: _Instant


class _NewPayout(msgspec.Struct, frozen=True):
    transaction_id: _Id
    amount: str
    currency: str
    status: PayoutStatus


class _CashOut(msgspec.Struct, frozen=True):
    ticket_id: _Id
    multiplier: msgspec.Raw
    payout: _NewPayout


class _Payout(msgspec.Struct, frozen=True):
    transaction_id: _Id
    ticket_id: _Id
    amount: str
    currency: str
    status: PayoutStatus
    completed_at: _Instant | None


class _KeyOutcome(msgspec.Struct, frozen=True):
    hold: _Hold | None
    bet: _Bet | None


class _Decoder(Generic[_T]):
    def __init__(self, shape: type[_T], *, what: str) -> None:
        self._decode = msgspec.json.Decoder(shape).decode
        self._what = what

    def __call__(self, body: bytes) -> _T:
        try:
            return self._decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise GameProtocolError(
                f"the game's {self._what} cannot be read: {str(error)[:200]}"
            ) from error


_hold_request: Final = _Decoder(HoldRequest, what="hold request")
_error: Final = _Decoder(ErrorBody, what="error")
_state: Final = _Decoder(_State, what="state")
_round: Final = _Decoder(_Round, what="round")
_rounds: Final = _Decoder[list[_Round] | _Rounds](
    list[_Round] | _Rounds,  # type: ignore[arg-type]  # a union is a form, not a type, to mypy
    what="list of rounds",
)
_balance: Final = _Decoder(_Balance, what="balance")
_hold: Final = _Decoder(_Hold, what="hold")
_release: Final = _Decoder(_Release, what="release")
_bet: Final = _Decoder(_Bet, what="bet")
_cash_out: Final = _Decoder(_CashOut, what="cash-out")
_payout: Final = _Decoder(_Payout, what="payout")
_key_outcome: Final = _Decoder(_KeyOutcome, what="answer about a key")


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
        if not _sensible(auto_cashout):
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


def read_error(body: bytes) -> ErrorBody:
    """An error's code and message; the message is the game's and is for people."""
    return _error(body)


def read_state(body: bytes) -> GameState:
    """The game's state."""
    wire = _state(body)
    return GameState(
        round_id=wire.round_id,
        current_multiplier=_multiplier_or_none(wire.current_multiplier, "current_multiplier"),
        status=wire.status,
        elapsed_ms=wire.elapsed_ms,
        timestamp=wire.timestamp.astimezone(UTC),
        participants=wire.participants,
    )


def read_round(body: bytes) -> GameRound:
    """One round."""
    return _round_model(_round(body))


def read_rounds(body: bytes) -> tuple[GameRound, ...]:
    """A page of rounds: an array, or an object with one under ``rounds``."""
    wire = _rounds(body)
    page = wire.rounds if isinstance(wire, _Rounds) else wire
    return tuple(map(_round_model, page))


def read_balance(body: bytes) -> GameBalance:
    """A balance."""
    wire = _balance(body)
    return GameBalance(
        user_id=wire.user_id,
        currency=wire.currency,
        available_minor=_money(wire.available, wire.currency).minor,
        held_minor=_money(wire.held, wire.currency).minor,
        as_of=wire.as_of.astimezone(UTC),
    )


def read_hold(body: bytes) -> Hold:
    """A hold."""
    return _hold_model(_hold(body))


def read_release(body: bytes) -> str | None:
    """The hold that a release speaks of, None where it names none."""
    return _release(body).hold_id if body.strip() else None


def read_bet(body: bytes) -> Bet:
    """A bet."""
    return _bet_model(_bet(body))


def read_cash_out(body: bytes) -> CashOut:
    """A cash-out with its payout."""
    wire = _cash_out(body)
    payout = wire.payout
    return CashOut(
        ticket_id=wire.ticket_id,
        multiplier=_multiplier(wire.multiplier, "multiplier"),
        payout=Payout(
            transaction_id=payout.transaction_id,
            ticket_id=wire.ticket_id,
            amount=_positive(payout.amount, payout.currency),
            status=payout.status,
            completed_at=None,
        ),
    )


def read_payout(body: bytes) -> Payout:
    """A payout."""
    wire = _payout(body)
    return Payout(
        transaction_id=wire.transaction_id,
        ticket_id=wire.ticket_id,
        amount=_positive(wire.amount, wire.currency),
        status=wire.status,
        completed_at=None if wire.completed_at is None else wire.completed_at.astimezone(UTC),
    )


def read_key_outcome(body: bytes) -> KeyOutcome:
    """What a key led to."""
    wire = _key_outcome(body)
    return KeyOutcome(
        hold=None if wire.hold is None else _hold_model(wire.hold),
        bet=None if wire.bet is None else _bet_model(wire.bet),
    )


def _round_model(wire: _Round) -> GameRound:
    return GameRound(
        round_id=wire.round_id,
        status=wire.status,
        crash_multiplier=_multiplier_or_none(wire.crash_multiplier, "crash_multiplier"),
        started_at=None if wire.started_at is None else wire.started_at.astimezone(UTC),
        crashed_at=None if wire.crashed_at is None else wire.crashed_at.astimezone(UTC),
        participants=wire.participants,
    )


def _hold_model(wire: _Hold) -> Hold:
    return Hold(
        hold_id=wire.hold_id,
        round_id=wire.round_id,
        user_id=wire.user_id,
        amount=_positive(wire.amount, wire.currency),
        auto_cashout=_multiplier_or_none(wire.auto_cashout, "auto_cashout"),
        status=wire.status,
        expires_at=wire.expires_at.astimezone(UTC),
    )


def _bet_model(wire: _Bet) -> Bet:
    return Bet(
        ticket_id=wire.ticket_id,
        hold_id=wire.hold_id,
        round_id=wire.round_id,
        user_id=wire.user_id,
        amount=_positive(wire.amount, wire.currency),
        auto_cashout=_multiplier_or_none(wire.auto_cashout, "auto_cashout"),
        status=wire.status,
        cashout_multiplier=_multiplier_or_none(wire.cashout_multiplier, "cashout_multiplier"),
        payout_transaction_id=wire.payout_transaction_id,
        placed_at=wire.placed_at.astimezone(UTC),
    )


def _money(amount: str, currency: str) -> Money:
    try:
        return Money(parse_minor(amount, currency), currency)
    except Invalid as error:
        raise GameProtocolError(f"the game's amount cannot be read: {error.message}") from error


def _positive(amount: str, currency: str) -> Money:
    money = _money(amount, currency)
    if money.minor <= 0:
        raise GameProtocolError(f"the game speaks of a stake or payout of {money} {currency}")
    return money


def _multiplier_or_none(raw: msgspec.Raw, field: str) -> Decimal | None:
    return None if bytes(raw) == b"null" else _multiplier(raw, field)


def _multiplier(raw: msgspec.Raw, field: str) -> Decimal:
    """A JSON number, digit for digit; a string, like a float, would hide how it was rounded."""
    text = bytes(raw)[: _MAX_MULTIPLIER_CHARS + 1].decode("utf-8", "replace")
    try:
        value = Decimal(text)  # JSON's other values, a quoted number among them, fail here
    except InvalidOperation:
        raise GameProtocolError(f"{field} must be a JSON number, not {text!r}") from None
    if value < 0 or not _sensible(value):
        raise GameProtocolError(f"{field} is {text!r}, which is no multiplier")
    return value


def _sensible(value: Decimal) -> bool:
    return (
        len(value.as_tuple().digits) <= _MAX_MULTIPLIER_CHARS
        and abs(value.adjusted()) <= _MAX_MULTIPLIER_EXPONENT
    )
