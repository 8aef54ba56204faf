"""What ``recon discrepancies list`` prints: a table, or all of them as they are read."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from recon.cli.context import open_database, progress_console
from recon.cli.discrepancy_text import say_list
from recon.reconciliation import Discrepancy, DiscrepancyFilter, Status, list_discrepancies
from recon.reconciliation.views import discrepancy_view

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from uuid import UUID

    from recon.db import Pool
    from recon.settings import Settings

__all__ = ["MOST_ROWS", "print_list", "say_table"]

MOST_ROWS: Final = 1000
"""Of a table, unless more are asked for."""

_STILL_OPEN = (Status.OPEN, Status.INVESTIGATING, Status.AWAITING_APPROVAL)
_PAGE = 500


async def say_table(settings: Settings, wanted: DiscrepancyFilter, limit: int | None) -> bool:
    """Print a table, which takes its widths from all its rows; whether any is still open."""
    found: list[Discrepancy] = []
    size = limit or MOST_ROWS
    async with open_database(settings) as pool:
        async for page in _pages(pool, wanted, size + 1):
            found += page
        still_open = await _any_open(pool, wanted)
    say_list(found[:size])
    if limit is None and len(found) > size:
        progress_console.print(f"There are more: these are the newest {size}; see --limit, export.")
    return still_open


async def print_list(settings: Settings, wanted: DiscrepancyFilter, limit: int | None) -> bool:
    """Print them as they are read, however many there are; whether any is still open."""
    separator = b"["
    async with open_database(settings) as pool:
        async for page in _pages(pool, wanted, limit):
            for one in page:
                sys.stdout.buffer.write(separator + msgspec.json.encode(discrepancy_view(one)))
                separator = b",\n"
        still_open = await _any_open(pool, wanted)
    sys.stdout.buffer.write(b"[]\n" if separator == b"[" else b"]\n")
    sys.stdout.buffer.flush()
    return still_open


async def _pages(
    pool: Pool, wanted: DiscrepancyFilter, limit: int | None
) -> AsyncGenerator[list[Discrepancy], None]:
    before: UUID | None = None
    left = limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        async with pool.acquire() as connection:
            page = await list_discrepancies(connection, wanted, before=before, limit=size)
        yield page
        if len(page) < size:
            return
        before = page[-1].discrepancy_id
        left = None if left is None else left - size


async def _any_open(pool: Pool, wanted: DiscrepancyFilter) -> bool:
    async with pool.acquire() as connection:
        wanted = replace(wanted, statuses=_STILL_OPEN)
        return bool(await list_discrepancies(connection, wanted, limit=1))
