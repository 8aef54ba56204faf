"""What a simulated provider deals in: payments, facts about them, the events that report those."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from random import Random

__all__ = [
    "Direction",
    "Effect",
    "Endpoint",
    "Event",
    "Fact",
    "FactKind",
    "GameBackend",
    "Payment",
    "Provider",
    "SignedRequest",
]

Direction = Literal["deposit", "withdrawal"]


class GameBackend(Protocol):
    """The game's own books, which providers tell of money on their own."""

    def credit(self, user_id: str, currency: str, amount_minor: int, *, ref: str = "") -> None:
        """Add to a player's balance; ``amount_minor`` is above zero, ``ref`` the payment's id."""
        ...

    def debit(self, user_id: str, currency: str, amount_minor: int, *, ref: str = "") -> None:
        """Take from a player's balance, overdrawing it if need be; otherwise as `credit`."""
        ...


@dataclass(slots=True)
class Payment:
    """One deposit or withdrawal at one endpoint.

    Attributes:
        payment_id: the provider's id, e.g. ``pi_…``, a pspReference, ``pay_…``.
        effect_id: a withdrawal's payout id where the provider has one beside ``payment_id``.
        charge_id: what a Stripe dispute or refund points at.
        amount_minor: above zero, ISO minor units.
        reference: the caller's, unique per endpoint.
        refunded_minor: taken back by refunds so far.
        effects: how many refunds and disputes there were.
        disputed: it was charged back.
        settled: a deposit's money has come and stayed, so that it can be refunded or disputed.
        led_by: the fault planted on it that must lead to a discrepancy, if any.
    """

    payment_id: str
    endpoint: str
    direction: Direction
    user_id: str
    amount_minor: int
    currency: str
    reference: str
    created_at: datetime
    effect_id: str | None = None
    charge_id: str | None = None
    refunded_minor: int = 0
    effects: int = 0
    disputed: bool = False
    settled: bool = False
    led_by: str | None = None


class FactKind(StrEnum):
    """What can become of a payment, in the contract's words where it has them."""

    DEPOSIT_PENDING = "deposit.pending"
    DEPOSIT_SUCCEEDED = "deposit.succeeded"
    DEPOSIT_FAILED = "deposit.failed"
    REFUNDED = "deposit.refunded"
    REFUND_FAILED = "deposit.refund_failed"
    DISPUTE_OPENED = "dispute.opened"
    CHARGED_BACK = "deposit.charged_back"
    CHARGEBACK_REVERSED = "deposit.chargeback_reversed"
    DISPUTE_LOST = "dispute.lost"
    DISPUTE_WON = "dispute.won"
    WITHDRAWAL_ACCEPTED = "withdrawal.accepted"
    WITHDRAWAL_PAID = "withdrawal.paid"
    WITHDRAWAL_FAILED = "withdrawal.failed"
    WITHDRAWAL_RETURNED = "withdrawal.returned"


@dataclass(frozen=True, slots=True)
class Effect:
    """A refund or a dispute: a thing of its own, with its own id, that befalls a payment."""

    effect_id: str
    number: int
    amount_minor: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that happened to a payment, as the provider means to report it.

    Attributes:
        amount_minor: what the report says, which a planted fault makes differ from the payment's.
        effect: the refund or dispute that it is about.
        credited: a deposit that now fails had succeeded before.
    """

    kind: FactKind
    payment: Payment
    amount_minor: int
    at: datetime
    effect: Effect | None = None
    credited: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """A report ready to be signed: its content never changes, whatever the number of attempts.

    Attributes:
        event_id: what the provider calls it; stable over attempts.
        type: the provider's name of it.
        document: the JSON; Adyen's gets its signature at each attempt.
    """

    event_id: str
    type: str
    created_at: datetime
    document: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What goes over the wire in one attempt."""

    body: bytes
    headers: Mapping[str, str]


@dataclass(slots=True)
class Endpoint:
    """One configured account at a provider, and where it posts its events.

    Attributes:
        secrets: newest first; never shown, not even in a repr.
        webhook_url: None: events are made and kept, and not sent.
        auto_capture: Adyen alone: False adds a CAPTURE after the AUTHORISATION.
        list_lost: Stripe alone: whether its list tells of events whose webhook was lost.
    """

    name: str
    provider: str
    secrets: tuple[str, ...] = field(repr=False)
    webhook_url: str | None
    merchant_account: str | None = None
    api_key: str | None = field(default=None, repr=False)
    auto_capture: bool = True
    list_lost: bool = True


class Provider(Protocol):
    """What one provider does in its own way."""

    pays_out: bool
    """Whether it reports that a withdrawal was paid; one that does not ends at accepted."""

    lists_events: bool
    """Whether its API lists events, so that one whose webhook never came can be found."""

    def check_endpoint(self, endpoint: Endpoint) -> None:
        """Raise `Invalid` for a secret or account that this provider could not have issued."""
        ...

    def check_payment(self, payment: Payment) -> None:
        """Raise `Invalid` for a currency, amount or reference that this provider refuses."""
        ...

    def identify(self, payment: Payment, random: Random) -> None:
        """Give a new payment this provider's ids."""
        ...

    def effect_id(self, kind: FactKind, random: Random) -> str:
        """An id for a refund or a dispute."""
        ...

    def reports(self, kind: FactKind) -> bool:
        """Whether this provider has any way to report such a fact."""
        ...

    def events(self, fact: Fact, endpoint: Endpoint, random: Random) -> Sequence[Event]:
        """The events that report a fact, in the order in which they come about.

        Where there are several, the last one says all that matters.
        """
        ...

    def twin(self, event: Event, random: Random) -> Event:
        """Another event about the same thing, under an id of its own where the provider has ids."""
        ...

    def signed(
        self, event: Event, endpoint: Endpoint, at: datetime, *, forged: bool = False
    ) -> SignedRequest:
        """The request of one attempt.

        Args:
            event: what to send.
            endpoint: whose secrets sign it.
            at: the time of this attempt.
            forged: sign with a key that nobody has.
        """
        ...
