"""What callers may say when they decide on a ruling."""

from __future__ import annotations

import msgspec

from recon.bets.by_hand.model import Words

__all__ = ["ApproveRuling", "RejectRuling"]


class ApproveRuling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the approver has to say."""

    reason: Words | None = None


class RejectRuling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why not."""

    reason: Words
