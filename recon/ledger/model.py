"""What the ledger speaks of; pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

__all__ = ["Account", "Entry", "HoldOp", "Outcome", "Posted", "Posting", "Wallet"]


class Account(StrEnum):
    """An account inside a player's book.

    The first three are the player's (our liability); the others are the house's side of it, and
    their totals are folds over players, never rows of their own.
    """

    AVAILABLE = "available"
    HELD = "held"
    RESERVED = "reserved"
    CLEARING = "clearing"
    GAME = "game"
    SUSPENSE = "suspense"
    ADJUSTMENT = "adjustment"


class HoldOp(StrEnum):
    """What an entry does with its hold: open a new one, or resolve one for good."""

    OPEN = "open"
    CAPTURED = "captured"
    VOIDED = "voided"
    EXPIRED = "expired"


class Outcome(StrEnum):
    """What became of one entry."""

    POSTED = "posted"
    REPEATED = "repeated"
    CONFLICT = "conflict"
    INSUFFICIENT = "insufficient"
    HOLD_UNKNOWN = "hold_unknown"
    HOLD_RESOLVED = "hold_resolved"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One posting to be written: ``amount_minor`` from ``debit`` to ``credit``.

    ``(user_id, source, key)`` makes it idempotent for ever. A ``guarded`` entry is refused rather
    than taking ``available`` below zero. ``event_at`` is when it happened, by whoever says so.
    """

    user_id: str
    currency: str
    debit: Account
    credit: Account
    amount_minor: int
    kind: str
    source: str
    key: str
    event_at: datetime
    guarded: bool = False
    hold_id: UUID | None = None
    hold_op: HoldOp | None = None

    def request_hash(self) -> bytes:
        """SHA-256 over what makes two requests the same; time is not part of it."""
        said = (
            f"{self.currency}\n{self.debit}\n{self.credit}\n{self.amount_minor}\n{self.kind}\n"
            f"{self.hold_id or ''}\n{self.hold_op or ''}"
        )
        return hashlib.sha256(said.encode()).digest()


class Posted(msgspec.Struct, frozen=True):
    """The outcome of one entry, with the wallet as it stood right after it, in minor units.

    ``version`` is the posting's own, also when it was written earlier; ``None`` if it is refused.
    """

    outcome: Outcome
    version: int | None
    available: int
    held: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Wallet:
    """A wallet at one instant, in minor units.

    ``version`` counts its postings; ``as_of`` is the instant that the balances speak of.
    """

    user_id: str
    currency: str
    available: int
    held: int
    reserved: int
    version: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Posting:
    """One written posting with the balances after it, in minor units."""

    user_id: str
    currency: str
    version: int
    debit: Account
    credit: Account
    amount: int
    kind: str
    source: str
    key: str
    hold_id: UUID | None
    event_at: datetime
    recorded_at: datetime
    available_after: int
    held_after: int
    reserved_after: int

    @property
    def available_change(self) -> int:
        """What it did to ``available``, signed."""
        return self._change(Account.AVAILABLE)

    def _change(self, account: Account) -> int:
        if self.credit == account:
            return self.amount
        return -self.amount if self.debit == account else 0
