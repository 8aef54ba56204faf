"""What a ruling is; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from recon.bets.model import Bet
    from recon.money import Money

__all__ = ["Ruling", "RulingOutcome", "RulingState", "RulingWish", "TakenBet", "Words"]

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=255, pattern=r"^\S(.*\S)?$")]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=4000, pattern=r"\S")]


class RulingOutcome(StrEnum):
    """What the bet came to.

    ``void``: the player has the stake back; a bet that the game never confirmed is rejected by it.
    """

    CASHED_OUT = "cashed_out"
    LOST = "lost"
    VOID = "void"


class RulingState(StrEnum):
    """Where a ruling stands; ``stale``: the bet has gone on before it was decided."""

    PROPOSED = "proposed"
    BOOKED = "booked"
    REJECTED = "rejected"
    STALE = "stale"


class RulingWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What somebody proposes that a bet came to.

    ``payout`` (a decimal string above zero), ``currency`` and ``payout_transaction_id`` go with
    ``cashed_out`` alone; the last may be left out where the bet has one. ``ticket_id`` is wanted
    where the game took a bet that has none here. ``evidence`` is by what the game's operator finds
    what they said, such as a ticket of their support.
    """

    outcome: RulingOutcome
    reason: Words
    evidence: Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"\S")]
    payout: str | None = None
    currency: str | None = None
    payout_transaction_id: _Id | None = None
    ticket_id: _Id | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What was proposed and decided.

    Attributes:
        ticket_id: the bet's, or the one that it was proposed to have.
        payout_transaction_id: likewise of its payout.
        standing: the bet as it was weighed.
        moved: the bet stands otherwise by now, so that this can no longer be booked.
    """

    ruling_id: UUID
    bet_id: UUID
    user_id: str
    currency: str
    outcome: RulingOutcome
    payout: Money | None
    payout_transaction_id: str | None
    ticket_id: str | None
    reason: str
    evidence: str
    standing: dict[str, Any]
    state: RulingState
    moved: bool
    proposed_by: str
    proposed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    decided_step: UUID | None
    decision_reason: str | None


@dataclass(frozen=True, slots=True)
class TakenBet:
    """A bet under our lock.

    Attributes:
        bet: as it is.
        standing: of it what people weigh.
        sending: somebody's claim is under way by which more than a question may reach the game.
    """

    bet: Bet
    standing: dict[str, Any]
    sending: bool
