"""Write down what an import found: the file, its batches, its findings and their cases.

All of it is in the transaction that the import holds its endpoint by, so that it is there whole or
not at all.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeAlias

from recon.clock import now
from recon.settlements import finding, lines, writing
from recon.settlements.loading import pages
from recon.settlements.model import SettlementFile

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.settlements.formats import Layout
    from recon.settlements.model import Batch
    from recon.settlements.staging import Staged

    Connection: TypeAlias = asyncpg.Connection[Any]

__all__ = ["file_of", "write_findings"]


def file_of(
    staged: Staged, file_id: UUID, *, name: str, actor: str, until: datetime
) -> SettlementFile:
    """The file's own row, once it is compared."""
    stage = staged.stage
    counts = lines.count(stage)
    payments = stage.one("SELECT count(*) FROM settled WHERE is_new = 1")
    unmatched = stage.one(
        "SELECT coalesce(sum(new_lines), 0)::BIGINT FROM odd WHERE verdict <> 'missing_there'"
    )
    return SettlementFile(
        file_id=file_id,
        endpoint=staged.account.endpoint,
        format=staged.layout.format,
        name=name,
        content_sha256=staged.content_sha256,
        bytes=staged.size,
        lines=counts.lines,
        new_lines=counts.new,
        repeated_lines=counts.repeated,
        duplicate_lines=counts.duplicate,
        rejected_lines=counts.rejected,
        matched=payments - unmatched,
        period_from=staged.period[0],
        period_to=staged.period[1],
        checked_until=until,
        totals=tuple(lines.totals(stage)),
        imported_at=now(),
        imported_by=actor,
    )


async def write_findings(connection: Connection, staged: Staged, file: SettlementFile) -> None:
    """Write batches, what is explained of older findings, and the findings with their cases."""
    stage, endpoint, name = staged.stage, file.endpoint, file.name
    async for some in pages(stage, lines.BATCHES):
        added = [lines.batch_of(row) for row in some]
        touched = await writing.add_to_batches(connection, endpoint, file.file_id, added)
        await writing.resolve_batches(connection, endpoint, touched, f"told of anew by {name}")
        unbalanced = _unbalanced(touched, staged.layout)
        await asyncio.to_thread(finding.find_in_batches, stage, staged.account, unbalanced)
    await asyncio.to_thread(finding.find_explained, stage)
    for said, ids in (("explained", finding.EXPLAINED), ("told of anew", finding.TOLD_ANEW)):
        async for some in pages(stage, ids):
            await writing.resolve(connection, some, f"{said} by {name}")

    cases = await asyncio.to_thread(finding.assign_cases, stage, file.file_id, name)
    await writing.insert_cases(connection, endpoint, cases, file.imported_at)
    findings = (
        f"SELECT user_id, finding_id, {_quoted(endpoint)}, '{file.file_id}', kind,"  # noqa: S608 - ours
        " about, payment_id, effect_id, reference, line_no, settled_currency, settled_amount,"
        " booked_currency, booked_amount, settled_at::VARCHAR || 'Z', detail, case_id FROM found"
    )
    path = staged.folder / "out.csv"
    await asyncio.to_thread(stage.write, findings, path)
    await writing.copy_in(connection, "settlement_findings", writing.FINDING_COLUMNS, path)


def _unbalanced(batches: Sequence[Batch], layout: Layout) -> list[Batch]:
    """Batches that do not come to zero, though lines and payout are there or should be.

    A payout of which no line tells what is in it is one that somebody asked for, or its lines are
    in another report.
    """
    return [
        batch
        for batch in batches
        if batch.difference.minor and (layout.payouts_close or 0 < batch.payouts < batch.lines)
    ]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
