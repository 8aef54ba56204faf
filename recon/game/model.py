"""What the game API tells us, as values: frozen, exact, every time with its zone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from decimal import Decimal

    from recon.money import Money

__all__ = [
    "Bet",
    "BetStatus",
    "CashOut",
    "GameBalance",
    "GameRound",
    "GameState",
    "Hold",
    "KeyOutcome",
    "Payout",
    "PayoutStatus",
    "RoundAnswer",
    "RoundStatus",
]


class RoundStatus(StrEnum):
    """Where a round stands; only ``betting`` takes new bets."""

    BETTING = "betting"
    ACTIVE = "active"
    CRASHED = "crashed"
    PAYOUT = "payout"


class BetStatus(StrEnum):
    """Where a bet stands; ``void`` means that the round was cancelled and the stake returned."""

    ACTIVE = "active"
    CASHED_OUT = "cashed_out"
    LOST = "lost"
    VOID = "void"


class PayoutStatus(StrEnum):
    """Where a payout stands; only ``completed`` may change what a player sees as theirs."""

    PENDING = "pending"
    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class GameState:
    """The round that is on now; ``current_multiplier`` is None where none runs yet."""

    round_id: str
    current_multiplier: Decimal | None
    status: RoundStatus
    elapsed_ms: int
    timestamp: datetime
    participants: int


@dataclass(frozen=True, slots=True)
class GameRound:
    """A past or present round; the crash's fields are None until it has crashed."""

    round_id: str
    status: RoundStatus
    crash_multiplier: Decimal | None
    started_at: datetime | None
    crashed_at: datetime | None
    participants: int


@dataclass(frozen=True, slots=True)
class RoundAnswer:
    """A round with its validators; ``round`` is None when the game said 304, not modified."""

    round: GameRound | None
    etag: str | None
    last_modified: str | None
    cache_control: str | None = None


class GameBalance(msgspec.Struct, frozen=True):
    """A player's balance as the game has it at ``as_of``.

    ``available_minor`` excludes the stakes on hold, which are ``held_minor``; both in minor units.
    """

    user_id: str
    currency: str
    available_minor: int
    held_minor: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Hold:
    """A stake that the game has set aside; without a confirm it lapses at ``expires_at``."""

    hold_id: str
    round_id: str
    user_id: str
    amount: Money
    auto_cashout: Decimal | None
    status: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Bet:
    """A confirmed bet, known by its ticket."""

    ticket_id: str
    hold_id: str
    round_id: str
    user_id: str
    amount: Money
    auto_cashout: Decimal | None
    status: BetStatus
    cashout_multiplier: Decimal | None
    payout_transaction_id: str | None
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Payout:
    """Money that the game owes or has paid for a ticket."""

    transaction_id: str
    ticket_id: str
    amount: Money
    status: PayoutStatus
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class CashOut:
    """A bet cashed out at ``multiplier``; its payout is usually still pending."""

    ticket_id: str
    multiplier: Decimal
    payout: Payout


@dataclass(frozen=True, slots=True)
class KeyOutcome:
    """What a hold's idempotency key led to; both None: the game knows nothing of the key."""

    hold: Hold | None
    bet: Bet | None
