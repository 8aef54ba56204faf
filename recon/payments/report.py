"""What a PSP has said of registered payments; called by ``webhooks`` inside its transaction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from recon.db import load
from recon.payments.model import PaymentState
from recon.payments.read import payment_of_row

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import asyncpg

    from recon.payments.model import Payment

__all__ = ["Report", "find_payments", "report_columns"]


class Report(msgspec.Struct, frozen=True):
    """The state that a report puts a payment in, and the PSP's own id for it.

    ``reported_at`` is when we had it, if that was not just now.
    """

    reference: str
    state: PaymentState
    payment_id: str | None
    reported_at: datetime | None = None


async def find_payments(
    connection: asyncpg.Connection[Any],
    *,
    endpoints: Sequence[str],
    references: Sequence[str | None],
    payment_ids: Sequence[str | None],
    lock: bool = True,
) -> list[Payment]:
    """Payments matched by (endpoint, reference) or (endpoint, the PSP's id), in no order.

    The three sequences run in parallel, one place per event. A payment is found once, and locked
    until the caller's transaction ends unless ``lock`` is false.
    """
    rows = await connection.fetch(
        load("recon.payments", "find"), list(endpoints), list(references), list(payment_ids), lock
    )
    return [payment_of_row(row) for row in rows]


def report_columns(
    reports: Collection[Report],
) -> tuple[list[str], list[str], list[str | None], list[datetime | None]]:
    """Reports as ``payments_report`` takes them; at most one for a reference."""
    return (
        [report.reference for report in reports],
        [report.state for report in reports],
        [report.payment_id for report in reports],
        [report.reported_at for report in reports],
    )
