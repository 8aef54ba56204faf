"""Files, batches, findings and totals as the API and the command line show them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from recon.money import format_minor
from recon.settlements.model import FindingKind, FindingState, Format, LineKind

if TYPE_CHECKING:
    from recon.money import Money
    from recon.settlements.model import Batch, Finding, SettlementFile, Total

__all__ = [
    "BatchView",
    "FindingPage",
    "FindingView",
    "SettlementDetail",
    "SettlementPage",
    "SettlementView",
    "TotalView",
    "finding_view",
    "settlement_detail",
    "settlement_view",
]


class TotalView(msgspec.Struct, frozen=True):
    """Sums of a file's new lines; amounts are decimal strings, ``net`` as it changes our claim."""

    kind: LineKind
    type: str
    lines: int
    currency: str | None
    gross: str | None
    net_currency: str
    net: str
    fee: str


class BatchView(msgspec.Struct, frozen=True):
    """What a PSP pays at once; ``difference`` is ``net + paid``, and zero where it is proven."""

    batch: str
    currency: str
    lines: int
    payouts: int
    net: str
    paid: str
    difference: str


class SettlementView(msgspec.Struct, frozen=True):
    """An imported file: every line is new, repeated, duplicate or rejected."""

    file_id: UUID
    endpoint: str
    format: Format
    name: str
    sha256: str
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
    imported_at: datetime
    imported_by: str
    open_findings: int
    findings: dict[str, int]


class SettlementPage(msgspec.Struct, frozen=True):
    """Imported files, newest first."""

    items: list[SettlementView]
    next_cursor: str | None


class FindingView(msgspec.Struct, frozen=True):
    """Where a file and our books disagree; amounts are decimal strings."""

    finding_id: UUID
    kind: FindingKind
    about: LineKind | None
    state: FindingState
    user_id: str | None
    reference: str | None
    payment_id: str | None
    effect_id: str | None
    line_no: int | None
    settled: str | None
    settled_currency: str | None
    booked: str | None
    booked_currency: str | None
    settled_at: datetime | None
    detail: str
    found_at: datetime
    resolved_at: datetime | None
    resolution: str | None
    case_id: UUID | None


class FindingPage(msgspec.Struct, frozen=True):
    """Findings of a file, in their order."""

    items: list[FindingView]
    next_cursor: str | None


class SettlementDetail(msgspec.Struct, frozen=True):
    """A file with its totals and batches (a hundred at most, what is not proven first)."""

    file: SettlementView
    totals: list[TotalView]
    batches: list[BatchView]


def settlement_view(file: SettlementFile) -> SettlementView:
    """A file in a list."""
    return SettlementView(
        file_id=file.file_id,
        endpoint=file.endpoint,
        format=file.format,
        name=file.name,
        sha256=file.content_sha256.hex(),
        bytes=file.bytes,
        lines=file.lines,
        new_lines=file.new_lines,
        repeated_lines=file.repeated_lines,
        duplicate_lines=file.duplicate_lines,
        rejected_lines=file.rejected_lines,
        matched=file.matched,
        period_from=file.period_from,
        period_to=file.period_to,
        checked_until=file.checked_until,
        imported_at=file.imported_at,
        imported_by=file.imported_by,
        open_findings=file.open_findings,
        findings=dict(file.findings or {}),
    )


def settlement_detail(file: SettlementFile, batches: list[Batch]) -> SettlementDetail:
    """A file by itself."""
    return SettlementDetail(
        file=settlement_view(file),
        totals=[_total_view(total) for total in file.totals],
        batches=[
            BatchView(
                batch=batch.batch,
                currency=batch.net.currency,
                lines=batch.lines,
                payouts=batch.payouts,
                net=str(batch.net),
                paid=str(batch.paid),
                difference=str(batch.difference),
            )
            for batch in batches
        ],
    )


def finding_view(finding: Finding) -> FindingView:
    """One finding."""
    return FindingView(
        finding_id=finding.finding_id,
        kind=finding.kind,
        about=finding.about,
        state=finding.state,
        user_id=finding.user_id,
        reference=finding.reference,
        payment_id=finding.payment_id,
        effect_id=finding.effect_id,
        line_no=finding.line_no,
        settled=_amount(finding.settled),
        settled_currency=None if finding.settled is None else finding.settled.currency,
        booked=_amount(finding.booked),
        booked_currency=None if finding.booked is None else finding.booked.currency,
        settled_at=finding.settled_at,
        detail=finding.detail,
        found_at=finding.found_at,
        resolved_at=finding.resolved_at,
        resolution=finding.resolution,
        case_id=finding.case_id,
    )


def _total_view(total: Total) -> TotalView:
    return TotalView(
        kind=total.kind,
        type=total.word,
        lines=total.lines,
        currency=total.currency,
        gross=None if total.currency is None else format_minor(total.gross, total.currency),
        net_currency=total.net_currency,
        net=format_minor(total.net, total.net_currency),
        fee=format_minor(total.fee, total.net_currency),
    )


def _amount(money: Money | None) -> str | None:
    return None if money is None else str(money)
