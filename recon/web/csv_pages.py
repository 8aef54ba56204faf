"""A list as CSV, page by page: RFC 4180 in UTF-8, never more than a page in memory."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from recon.clock import format_time, now
from recon.csv_text import csv_lines, plain_text
from recon.http import send_file
from recon.money import exponents, format_minor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

    import asyncpg
    from aiohttp import web

    from recon.db import Pool
    from recon.money import Money

__all__ = ["PAGE", "cell", "csv_chunks", "last_of", "money_cells", "send_csv"]

PAGE: Final = 1000
"""Rows that are read at once."""

_Row = TypeVar("_Row")
_Place = TypeVar("_Place")


async def csv_chunks(
    pool: Pool,
    columns: Sequence[str],
    read: Callable[
        [asyncpg.Connection[Any], _Place | None],
        Awaitable[tuple[Sequence[_Row], _Place | None]],
    ],
    cells: Callable[[_Row], Sequence[str]],
) -> AsyncGenerator[bytes, None]:
    """The file as it is made.

    The first page is read before anything is said: what cannot be asked for is refused, and not
    sent as a file that breaks off.

    Args:
        pool: what is read.
        columns: the first line.
        read: the page that begins after a place (``None``: the first one), and the place after it
            (``None``: it was the last).
        cells: a row as text, one for each column.
    """
    lines: list[Sequence[str]] = [columns]
    place: _Place | None = None
    while True:
        async with pool.acquire() as connection:
            rows, place = await read(connection, place)
        lines += [cells(row) for row in rows]
        if lines:
            yield csv_lines(lines)
        if place is None:
            return
        lines = []


async def send_csv(
    request: web.Request, chunks: AsyncGenerator[bytes, None], what: str
) -> web.StreamResponse:
    """Answer with such a file, named for ``what`` is in it and the time."""
    return await send_file(
        request,
        chunks,
        name=f"{what}-{now():%Y%m%dT%H%M%SZ}.csv",
        content_type="text/csv; charset=utf-8",
    )


def last_of(rows: Sequence[_Row], place: Callable[[_Row], _Place]) -> _Place | None:
    """Where a page of up to `PAGE` rows has ended; ``None``: nothing follows it."""
    return place(rows[-1]) if len(rows) == PAGE else None


def cell(value: object) -> str:
    """A value as a spreadsheet takes it for what it is; ``None`` is empty, times are in UTC."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return str(value)
    return plain_text(str(value))


def money_cells(money: Money | None) -> tuple[str, str]:
    """Currency and amount: a decimal; minor units where the currency is not known any more."""
    if money is None:
        return "", ""
    known = money.currency in exponents()
    told = format_minor(money.minor, money.currency) if known else f"{money.minor} minor units"
    return money.currency, told
