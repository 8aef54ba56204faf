"""Settlement files, what was found in them, and the words for both; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from uuid import UUID

    from recon.money import Money

__all__ = [
    "CASES",
    "EXPLAINING",
    "FAMILIES",
    "PAYMENT_KINDS",
    "SIGNS",
    "Account",
    "Batch",
    "Finding",
    "FindingKind",
    "FindingState",
    "Format",
    "ImportOptions",
    "LineKind",
    "Place",
    "SettlementFact",
    "SettlementFile",
    "Total",
]


class Format(StrEnum):
    """Whose columns a file has."""

    ADYEN = "adyen"
    STRIPE = "stripe"
    PLAIN = "plain"


class LineKind(StrEnum):
    """What a line is about, in one vocabulary for every format.

    ``payout`` is what the PSP pays to us, ``withdrawal`` what it pays to a player. ``transfer``
    moves money between our own balances there. ``other`` is a type that we do not know.
    """

    DEPOSIT = "deposit"
    REFUND = "refund"
    REFUND_REVERSED = "refund_reversed"
    CHARGEBACK = "chargeback"
    SECOND_CHARGEBACK = "second_chargeback"
    CHARGEBACK_REVERSED = "chargeback_reversed"
    WITHDRAWAL = "withdrawal"
    WITHDRAWAL_RETURNED = "withdrawal_returned"
    FEE = "fee"
    PAYOUT = "payout"
    TRANSFER = "transfer"
    OTHER = "other"


SIGNS: Final[Mapping[LineKind, int]] = {
    LineKind.DEPOSIT: 1,
    LineKind.REFUND: -1,
    LineKind.REFUND_REVERSED: 1,
    LineKind.CHARGEBACK: -1,
    LineKind.SECOND_CHARGEBACK: -1,
    LineKind.CHARGEBACK_REVERSED: 1,
    LineKind.WITHDRAWAL: -1,
    LineKind.WITHDRAWAL_RETURNED: 1,
    LineKind.FEE: -1,
    LineKind.PAYOUT: -1,
    LineKind.TRANSFER: 1,
    LineKind.OTHER: 1,
}
"""Which way money of a kind goes: 1 for what the PSP owes us more of, and the player has more."""

PAYMENT_KINDS: Final = tuple(
    kind
    for kind in LineKind
    if kind not in {LineKind.FEE, LineKind.PAYOUT, LineKind.TRANSFER, LineKind.OTHER}
)
"""Kinds that move a player's money, so that they must be booked here."""


FAMILIES: Final[Mapping[str, tuple[LineKind, ...]]] = {
    "deposit": (LineKind.DEPOSIT,),
    "refund": (LineKind.REFUND, LineKind.REFUND_REVERSED),
    "chargeback": (
        *(LineKind.CHARGEBACK, LineKind.SECOND_CHARGEBACK, LineKind.CHARGEBACK_REVERSED),
    ),
    "withdrawal": (LineKind.WITHDRAWAL, LineKind.WITHDRAWAL_RETURNED),
}
"""Kinds that a file tells of together: where it has one of them, it has every one that is due."""


class FindingKind(StrEnum):
    """Where a file and our books disagree, or a line cannot be read.

    ``missing_here``: the PSP has settled it, and it is not booked. ``missing_there``: booked, and
    in no file although its time has come. ``status_conflict``: the PSP has settled it, and here it
    failed. ``payout_mismatch``: a batch and its payout do not sum to zero.
    """

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT_MISMATCH = "amount_mismatch"
    CURRENCY_MISMATCH = "currency_mismatch"
    STATUS_CONFLICT = "status_conflict"
    DUPLICATE_LINE = "duplicate_line"
    REJECTED_LINE = "rejected_line"
    UNKNOWN_TYPE = "unknown_type"
    PAYOUT_MISMATCH = "payout_mismatch"


CASES: Final[Mapping[FindingKind, str]] = {
    FindingKind.MISSING_HERE: "settlement_missing_here",
    FindingKind.MISSING_THERE: "settlement_missing_there",
    FindingKind.AMOUNT_MISMATCH: "settlement_mismatch",
    FindingKind.CURRENCY_MISMATCH: "settlement_mismatch",
    FindingKind.STATUS_CONFLICT: "settlement_mismatch",
    FindingKind.PAYOUT_MISMATCH: "settlement_payout",
    FindingKind.DUPLICATE_LINE: "settlement_lines",
    FindingKind.REJECTED_LINE: "settlement_lines",
    FindingKind.UNKNOWN_TYPE: "settlement_lines",
}
"""The kind of case that a finding is, as `recon.webhooks.inbox.CASE_KINDS` has it too."""

EXPLAINING: Final = (
    FindingKind.MISSING_HERE,
    FindingKind.MISSING_THERE,
    FindingKind.AMOUNT_MISMATCH,
    FindingKind.CURRENCY_MISMATCH,
    FindingKind.STATUS_CONFLICT,
)
"""Findings that may explain why a wallet differs."""


class FindingState(StrEnum):
    """``resolved``: a later file or delivery explains it; ``dismissed``: its case was closed."""

    OPEN = "open"
    RESOLVED = "resolved"
    DISMISSED = "dismissed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The PSP account that a file is of.

    Args:
        endpoint: its name in the settings.
        provider: ``stripe``, ``adyen`` or ``standard-webhooks``.
        merchant_account: the only one of which a file may speak (Adyen); ``None`` for any.
    """

    endpoint: str
    provider: str
    merchant_account: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How a file is read and compared.

    Args:
        columns: of a plain file, our name of a column to the file's.
        timezone: of times that do not say theirs (IANA).
        delimiter: between its columns; ``None``: whatever it turns out to be.
        grace: how long after it is booked a payment may be absent from every file.
        memory_limit: what DuckDB may take, as it writes sizes; the rest goes to disk.
        threads: how many it uses.
        most_bytes: of the file, unpacked; ``None``: what the disk takes.
    """

    columns: Mapping[str, str]
    grace: timedelta
    timezone: str = "UTC"
    delimiter: str | None = None
    memory_limit: str = "512MB"
    threads: int = 2
    most_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """Sums over a file's new lines of one kind, word of the PSP's, and currency.

    Args:
        kind: what they are about.
        word: the PSP's own type.
        currency: of ``gross``; ``None`` where the lines have no payment.
        lines: how many.
        gross: what was paid, in minor units, as the kind counts it.
        net_currency: of ``net`` and ``fee``.
        net: what the PSP owes us more by it, in minor units.
        fee: what it kept.
    """

    kind: LineKind
    word: str
    currency: str | None
    lines: int
    gross: int
    net_currency: str
    net: int
    fee: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a PSP pays at once: ``net`` of its lines and ``paid``, which has the other sign."""

    batch: str
    lines: int
    net: Money
    paid: Money
    payouts: int

    @property
    def difference(self) -> Money:
        """What is left; zero is the proof."""
        return self.net + self.paid


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementFile:
    """One imported file.

    Args:
        file_id: ours, ordered by time.
        endpoint: whose file it is.
        format: whose columns it has.
        name: as it was called.
        content_sha256: of what is in it, unpacked.
        bytes: unpacked.
        lines: below the header.
        new_lines: that no file had before.
        repeated_lines: that an earlier file had.
        duplicate_lines: that this file has twice.
        rejected_lines: that cannot be read.
        matched: payments of its new lines that are booked here just so.
        period_from: its first line's time.
        period_to: its last line's.
        checked_until: what was booked before and is in no file was looked for.
        totals: of its new lines.
        imported_at: when.
        imported_by: by whom.
        open_findings: what still waits for somebody.
        findings: how many of each kind there were.
    """

    file_id: UUID
    endpoint: str
    format: Format
    name: str
    content_sha256: bytes
    bytes: int
    lines: int
    new_lines: int
    repeated_lines: int
    duplicate_lines: int
    rejected_lines: int
    matched: int
    period_from: datetime
    period_to: datetime
    checked_until: datetime
    totals: tuple[Total, ...]
    imported_at: datetime
    imported_by: str
    open_findings: int = 0
    findings: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One disagreement; ``user_id`` is ``None`` where nobody's wallet is concerned."""

    finding_id: UUID
    user_id: str | None
    endpoint: str
    file_id: UUID
    kind: FindingKind
    about: LineKind | None
    payment_id: str | None
    effect_id: str | None
    reference: str | None
    line_no: int | None
    settled: Money | None
    booked: Money | None
    settled_at: datetime | None
    detail: str
    state: FindingState
    found_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    case_id: UUID | None


class Place(NamedTuple):
    """Where a finding stands."""

    file_id: UUID
    finding_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementFact:
    """What a settlement file says against a wallet, for whoever explains its difference.

    Args:
        finding_id: which finding says so.
        endpoint: whose file.
        kind: how it disagrees.
        about: what it is about.
        reference: under which the payment is registered, if it is.
        payment_id: the PSP's.
        effect_id: of the refund, dispute or payout.
        amount: signed: how much more the player would have, were it booked as it was settled.
        settled_at: when the PSP settled it; of what is missing there, when it was booked.
        found_at: when we found it.
        summary: for people.
    """

    finding_id: UUID
    endpoint: str
    kind: FindingKind
    about: LineKind
    reference: str | None
    payment_id: str | None
    effect_id: str | None
    amount: Money
    settled_at: datetime | None
    found_at: datetime
    summary: str
