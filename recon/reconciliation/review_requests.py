"""What callers may ask of a review, as their bodies say it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

__all__ = [
    "AdjustmentRequest",
    "ApproveRequest",
    "AssignRequest",
    "CommentRequest",
    "IgnoreRequest",
    "RecheckRequest",
    "RejectRequest",
]

# Something to read in it.
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=4000, pattern=r"\S")]
# A line that neither begins nor ends with a space: by it people find what is theirs.
Name = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=128, pattern=r"^(?![\s\S]*[\x00-\x1f\x7f])(?![\s\S]*\s$)\S"
    ),
]
Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class AssignRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who looks into it; null for nobody."""

    assignee: Name | None


class CommentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to say."""

    text: Words


class IgnoreRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why it may be left alone, and until when; without: as long as the difference is the same."""

    reason: Words
    until: Instant | None = None


class RecheckRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Nothing to say."""


class AdjustmentRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to add to the player's available balance in the ledger: a signed decimal string.

    It corrects the ledger only, e.g. by a deposit that really happened; the game's own balance
    cannot be changed from here. ``difference`` is what you have seen of the discrepancy's: it is
    refused where a run has found another since; without it nothing is compared.
    """

    amount: str
    reason: Words
    difference: str | None = None


class ApproveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the approver has to say."""

    reason: Words | None = None


class RejectRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why not."""

    reason: Words
