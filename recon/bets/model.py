"""What a bet is, from its intent to its outcome; pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

import msgspec

from recon.errors import Invalid
from recon.money import Money
from recon.payments.model import check_user_id

__all__ = [
    "BY_HAND",
    "CASE_KINDS",
    "HIGHEST_MULTIPLIER",
    "Bet",
    "BetAttempt",
    "BetState",
    "BetWish",
    "Case",
    "SettledBet",
    "UnsettledBet",
]

_MAX_ID: Final = 255
_TARGET_PLACES: Final = 8
BY_HAND: Final = "settled_by_hand"
"""The reason of a bet that two people have settled."""
HIGHEST_MULTIPLIER: Final = 10**9
"""No bet is worth more than so many stakes: neither by its target nor by what people say."""
CASE_KINDS: Final = (
    "unresolved_bet",
    "bet_mismatch",
    "payout_mismatch",
    "payout_failed",
    "late_bet",
)
"""What people are shown of bets, as `recon.webhooks.inbox.CASE_KINDS` has it too."""


class BetState(StrEnum):
    """How far a bet has come."""

    PLACING = "placing"
    PLACED = "placed"
    CASHING_OUT = "cashing_out"
    CASHED_OUT = "cashed_out"
    LOST = "lost"
    VOID = "void"
    REJECTED = "rejected"


class BetWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a caller asks for.

    ``amount`` is a decimal string above zero; ``auto_cashout`` a JSON number, a decimal string or
    null: above 1, at most 8 places.
    """

    user_id: str
    round_id: str
    amount: str
    currency: str
    auto_cashout: Annotated[
        Decimal | None, msgspec.Meta(extra_json_schema={"type": ["number", "string", "null"]})
    ] = None

    def check(self) -> None:
        """Refuse what could not be sent to the game as it stands.

        Raises:
            Invalid: ``invalid_user_id``, ``invalid_round_id`` or ``invalid_multiplier``.
        """
        check_user_id(self.user_id)
        if not self.user_id.isprintable():
            raise Invalid("a user_id has printable characters only", code="invalid_user_id")
        round_id = self.round_id
        if (
            not 0 < len(round_id) <= _MAX_ID
            or not round_id.isprintable()
            or round_id.strip() != round_id
            # The round is asked about by a path, which dots alone would climb out of.
            or round_id in {".", ".."}
        ):
            raise Invalid(f"{round_id[:64]!r} is no round's id", code="invalid_round_id")
        target = self.auto_cashout
        if target is None:
            return
        exponent = target.as_tuple().exponent
        if not isinstance(exponent, int) or not 1 < target <= HIGHEST_MULTIPLIER:
            raise Invalid("auto_cashout lies above 1", code="invalid_multiplier")
        if exponent < -_TARGET_PLACES:
            raise Invalid(
                f"auto_cashout has at most {_TARGET_PLACES} places", code="invalid_multiplier"
            )

    def stake(self) -> Money:
        """The stake.

        Raises:
            Invalid: `recon.money.parse_minor`'s reasons, or not above zero.
        """
        stake = Money.parse(self.amount, self.currency)
        if stake.minor <= 0:
            raise Invalid("a stake is above zero", code="invalid_amount")
        return stake


class Bet(msgspec.Struct, frozen=True, kw_only=True):
    """A bet as the ``bets`` table has it.

    Attributes:
        caller_key: the caller's name for the intent.
        hold_body: the exact bytes of the hold call.
        hold_key: the idempotency key of the hold call; the others likewise of theirs.
        payout: what the game says the bet pays; booked once the state is ``cashed_out``.
        reason: why it was rejected, in the game's code; or what people must look at.
        due_at: when the resolver looks again, or when the present claim ends.
        fence: the number of the present claim.
        looks: how often the game was asked in vain since the last progress.
    """

    user_id: str
    bet_id: UUID
    caller_key: str
    round_id: str
    stake: Money
    auto_cashout: Decimal | None
    state: BetState
    hold_body: bytes
    hold_key: UUID
    confirm_key: UUID
    release_key: UUID
    cashout_key: UUID
    game_hold_id: str | None
    ticket_id: str | None
    payout_transaction_id: str | None
    payout: Money | None
    cashout_multiplier: Decimal | None
    reason: str | None
    placed_at: datetime | None
    settled_at: datetime | None
    created_at: datetime
    updated_at: datetime
    due_at: datetime | None
    fence: int
    looks: int


class BetAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt at a call for a bet: ``outcome`` is ``ok`` or an error's code."""

    attempt_id: UUID
    step: str
    request_id: str | None
    status: int | None
    outcome: str
    latency_ms: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """What people must look at, and why in words."""

    kind: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsettledBet:
    """A bet whose money has not come to rest, as reconciliation sees it.

    Attributes:
        payout: what the game has promised, not booked yet.
        calls_in_flight: a call may be changing the game's balance right now, or its outcome is not
            known yet; False where the game has answered, where people must decide, or once nothing
            that was sent can still take effect.
    """

    bet_id: UUID
    ticket_id: str | None
    hold_key: UUID
    state: BetState
    amount: Money
    round_id: str
    created_at: datetime
    updated_at: datetime
    payout: Money | None
    calls_in_flight: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SettledBet:
    """A bet whose money has come to rest.

    Attributes:
        hold_key: by it the game is asked for a bet of which we have no ticket.
    """

    bet_id: UUID
    ticket_id: str | None
    state: BetState
    amount: Money
    round_id: str
    payout: Money | None
    payout_transaction_id: str | None
    reason: str | None
    created_at: datetime
    placed_at: datetime | None
    settled_at: datetime
    hold_key: UUID

    @property
    def by_hand(self) -> bool:
        """People have said so, not the game."""
        return self.reason == BY_HAND
