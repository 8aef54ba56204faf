"""What is sealed, and what a seal says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ["SEALED_TABLES", "Anchor", "Kind", "Seal"]

SEALED_TABLES = (
    "postings",
    "idempotency",
    "holds",
    "hold_resolutions",
    "movements",
    "deliveries",
    "delivery_repeats",
    "discrepancy_events",
    "adjustments",
    "bet_rulings",
    "audit",
    "seal_links",
    "seals",
)
"""Nothing is ever taken away from these."""


class Kind(StrEnum):
    """What kind of row a link is of; some of these are one table's in two states."""

    POSTING = "posting"
    MOVEMENT = "movement"
    DELIVERY = "delivery"
    REPEAT = "repeat"
    EVENT = "event"
    ADJUSTMENT = "adjustment"
    DECISION = "decision"
    RULING = "ruling"
    RULING_DECISION = "ruling_decision"
    AUDIT = "audit"


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal, as it stands in the chain.

    Args:
        number: dense, from 1.
        first_seq: of its links.
        last_seq: one below ``first_seq`` where it has none.
        root: the hash of its links in their order.
        leaves: eight bytes of each link's own hash, by which a changed link is found.
        previous: the hash of the seal before.
        sealed_at: when.
        covers_until: whatever was committed before this is linked up to here; what comes from a
            machine whose clock is behind follows within minutes.
        settled_before: no transaction that began before this was still to commit.
        certain_before: a row that says it is older and has no link was not there in time.
        xid_ceiling: no transaction with a number from here on had begun at ``covers_until``.
        hash: of all of the above.
        key_id: which key signed that; ``None``: none.
        signature: HMAC-SHA256 of the same.
    """

    number: int
    first_seq: int
    last_seq: int
    root: bytes
    leaves: bytes
    previous: bytes
    sealed_at: datetime
    covers_until: datetime | None
    settled_before: datetime | None
    certain_before: datetime | None
    xid_ceiling: int | None
    hash: bytes
    key_id: str | None
    signature: bytes | None

    @property
    def links(self) -> int:
        """How many rows it covers."""
        return self.last_seq - self.first_seq + 1


class Anchor(msgspec.Struct, frozen=True):
    """A seal as it was once seen, kept where the database's owner cannot reach.

    Args:
        number: the seal's.
        hash: in hexadecimal.
        sealed_at: when it was made.
        key_id: which key signed it.
    """

    number: int
    hash: str
    sealed_at: datetime
    key_id: str | None = None
