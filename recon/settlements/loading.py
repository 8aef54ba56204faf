"""Load what is booked, and what earlier files said, beside a file's lines in its stage."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from recon.db import load
from recon.settlements import comparing, lines, writing
from recon.settlements.periods import merged

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    import asyncpg

    from recon.settlements.periods import Period
    from recon.settlements.stage import Stage
    from recon.settlements.staging import Staged

    Connection: TypeAlias = asyncpg.Connection[Any]

__all__ = ["MARGIN", "compare_with_all", "load_near", "pages"]

MARGIN: Final = timedelta(days=1)
"""Clocks and time zones apart, nothing is settled longer than this before it is booked."""

_SETTLED_WITHIN: Final = timedelta(days=31)
"""A payment is settled so soon after it was booked; a file of later settles it again."""
_LOOKED_UP: Final = 200_000
"""So many ids are looked up one by one; for more, everything of the endpoint is read."""
_AT_ONCE: Final = 5000
_EVER: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))


async def pages(stage: Stage, query: str) -> AsyncIterator[list[tuple[Any, ...]]]:
    """The answer of a query some rows at a time: there may be millions. One query at a time."""
    found = await asyncio.to_thread(stage.list_up, query)
    for start in range(0, found, _AT_ONCE):
        yield await asyncio.to_thread(stage.listed, start, _AT_ONCE)


async def load_near(connection: Connection, staged: Staged, begin: datetime) -> None:
    """Load what was booked from then on, and sort the file's lines by what was said before."""
    stage, endpoint, last = staged.stage, staged.account.endpoint, staged.period[1]
    await _copy_out(connection, staged, "earlier", "earlier_lines", endpoint, begin, _EVER[1])
    await asyncio.to_thread(lines.sort_lines, stage)
    await _copy_out(connection, staged, "moved", "booked_within", endpoint, begin, last + MARGIN)
    await _look_up(connection, staged, "reported", "payments_of_references", lines.REFERENCES)
    await _copy_out(connection, staged, "open_findings", "open_findings_of", endpoint)
    # Of a payout only its id tells whether it is to us or to a player.
    if (payouts := lines.payouts(staged.layout)) is not None:
        await _look_up(connection, staged, "moved", "booked_of", payouts)
        await _look_up(connection, staged, "known", "known_of", payouts, [])
        await _copy_out(connection, staged, "unpaid", "unpaid_withdrawals", endpoint, last + MARGIN)
    await asyncio.to_thread(comparing.drop_doubled, stage)
    await asyncio.to_thread(comparing.view_settled, stage)


async def compare_with_all(
    connection: Connection,
    staged: Staged,
    asked: Mapping[str, Sequence[Period]],
    begin: datetime,
) -> None:
    """Look for what is missing among what was booked long before, and compare once more.

    What is missing then is looked for among registered payments and unbooked deliveries.
    """
    stage, endpoint = staged.stage, staged.account.endpoint
    booked = await asyncio.to_thread(stage.one, "SELECT count(*) FROM moved")
    if await asyncio.to_thread(stage.one, "SELECT count(*) FROM sought") > _LOOKED_UP:
        await asyncio.to_thread(stage.run, "DELETE FROM moved")
        await _copy_out(connection, staged, "moved", "booked_within", endpoint, *_EVER)
        await asyncio.to_thread(stage.run, "DELETE FROM earlier")
        await _copy_out(connection, staged, "earlier", "earlier_lines", endpoint, *_EVER)
    else:
        await _look_up(connection, staged, "moved", "booked_of", comparing.SOUGHT)
        # What was booked long before may have been settled then, by a file that was not read.
        spans = await asyncio.to_thread(comparing.booked_before, stage, begin)
        for first, last in merged(spans, _SETTLED_WITHIN):
            times = first - MARGIN, last + _SETTLED_WITHIN, begin
            async for some in pages(stage, comparing.ids_before(begin)):
                ids = [row[0] for row in some]
                await _copy_out(
                    connection, staged, "earlier", "earlier_lines_of", endpoint, *times, ids
                )
    if await asyncio.to_thread(stage.one, "SELECT count(*) FROM moved") != booked:
        await asyncio.to_thread(comparing.drop_doubled, stage)
        await asyncio.to_thread(comparing.view_settled, stage)
        await asyncio.to_thread(comparing.compare, stage, asked)
    await _look_up(connection, staged, "known", "known_of", comparing.ODD_PAYMENTS, [])
    async for some in pages(stage, comparing.ODD_REFERENCES):
        named = [row[0] for row in some]
        await _copy_out(connection, staged, "known", "known_of", endpoint, [], named)


async def _look_up(
    connection: Connection, staged: Staged, table: str, statement: str, ids: str, *more: object
) -> None:
    """Load what a statement says of the ids that a query of the stage names."""
    async for some in pages(staged.stage, ids):
        names = [row[0] for row in some]
        await _copy_out(connection, staged, table, statement, staged.account.endpoint, names, *more)


async def _copy_out(
    connection: Connection, staged: Staged, table: str, statement: str, *parameters: object
) -> None:
    """Stream the answer of one of our statements into a table of the stage."""
    path = staged.folder / "in.csv"
    await connection.copy_from_query(
        load("recon.settlements", statement),
        *parameters,
        output=path,
        format="csv",
        timeout=writing.COPY_TIMEOUT_S,
    )
    await asyncio.to_thread(staged.stage.take, table, path)
    path.unlink()
