"""Registered payments; pure."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from recon.errors import Conflict, Invalid, NotFound, Unprocessable
from recon.money import Money

__all__ = [
    "Direction",
    "ExpectedPayment",
    "Payment",
    "PaymentExistsError",
    "PaymentNotFoundError",
    "PaymentState",
    "Told",
    "UnknownEndpointError",
    "check_user_id",
]

# No colon: Adyen's signature joins its fields by colons and escapes none.
_REFERENCE = re.compile(r"[A-Za-z0-9._/@+=-]{1,128}", re.ASCII)
# A payment is read under a path that ends with its reference, and clients take these segments out
# of a path (RFC 3986, 5.2.4): they would read another payment, or none.
_DOT_SEGMENTS = frozenset({".", ".."})
_MAX_USER_ID = 128


class PaymentExistsError(Conflict):
    """The reference is registered with other data."""

    code = "payment_exists"


class PaymentNotFoundError(NotFound):
    """No payment is registered under this reference."""

    code = "payment_not_found"


class UnknownEndpointError(Unprocessable):
    """No PSP account of that name is configured."""

    code = "unknown_endpoint"


class Direction(StrEnum):
    """Which way the money goes, seen from the player's wallet."""

    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"


class PaymentState(StrEnum):
    """How far a payment has come, by what the PSP has said."""

    REGISTERED = "registered"
    PENDING = "pending"
    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    PAID = "paid"
    FAILED = "failed"
    RETURNED = "returned"


class ExpectedPayment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a caller registers; ``amount`` is a decimal string above zero."""

    reference: str
    endpoint: str
    direction: Direction
    user_id: str
    amount: str
    currency: str

    def money(self) -> Money:
        """The amount.

        Raises:
            Invalid: `recon.money.parse_minor`'s reasons, or not above zero.
        """
        money = Money.parse(self.amount, self.currency)
        if money.minor <= 0:
            raise Invalid("the amount must be above zero", code="invalid_amount")
        return money

    def check(self) -> None:
        """Refuse what the signature of a PSP or our own keys could not carry.

        Raises:
            Invalid: ``invalid_reference`` or ``invalid_user_id``.
        """
        if not _REFERENCE.fullmatch(self.reference) or not _DOT_SEGMENTS.isdisjoint(
            self.reference.split("/")
        ):
            raise Invalid(
                "a reference is 1 to 128 of A-Z a-z 0-9 . _ / @ + = - (no colon), and no part of it"
                " between slashes is . or ..",
                code="invalid_reference",
            )
        check_user_id(self.user_id)


class Payment(msgspec.Struct, frozen=True):
    """A registered payment; ``hold_id`` is a withdrawal's reservation in the ledger."""

    reference: str
    endpoint: str
    direction: Direction
    user_id: str
    amount: Money
    state: PaymentState
    payment_id: str | None
    hold_id: UUID | None
    registered_at: datetime
    reported_at: datetime | None
    updated_at: datetime


class Told(msgspec.Struct, frozen=True):
    """What a PSP had said of a payment before it was registered.

    Args:
        state: the state that it put the payment in.
        payment_id: the PSP's own id for it.
        reported_at: when we first had it.
        is_out: a withdrawal's money has left already, so that nothing is to be reserved.
    """

    state: PaymentState = PaymentState.REGISTERED
    payment_id: str | None = None
    reported_at: datetime | None = None
    is_out: bool = False


def check_user_id(user_id: str) -> None:
    """A player's id is opaque: 1 to 128 printable characters, not beginning with ``~``.

    White space, and what is not printable (control and format characters, half of a surrogate
    pair), could not be sent to the game as a header, or would mislead whoever reads it.

    Raises:
        Invalid: ``invalid_user_id``.
    """
    if (
        not 1 <= len(user_id) <= _MAX_USER_ID
        or not user_id.isprintable()
        or " " in user_id
        or user_id.startswith("~")
    ):
        raise Invalid(
            "a user_id is 1 to 128 printable characters without white space, not beginning with ~",
            code="invalid_user_id",
        )
