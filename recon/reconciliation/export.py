"""Export discrepancies as CSV or JSON, streamed: memory stays flat whatever the number of rows."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from recon.clock import format_time
from recon.csv_text import csv_lines, plain_text
from recon.money import Money
from recon.reconciliation.export_rows import EXPORT_COLUMNS, export_rows

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from recon.db import Pool
    from recon.reconciliation.export_rows import Cell
    from recon.reconciliation.read import DiscrepancyFilter

__all__ = ["ExportFormat", "csv_chunks", "json_chunks"]


class ExportFormat(StrEnum):
    """What an export is written as."""

    CSV = "csv"
    XLSX = "xlsx"
    JSON = "json"

    @property
    def content_type(self) -> str:
        """Its media type."""
        return {
            ExportFormat.CSV: "text/csv; charset=utf-8",
            ExportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ExportFormat.JSON: "application/json",
        }[self]


async def csv_chunks(
    pool: Pool, wanted: DiscrepancyFilter, *, base_url: str, sort: str = "age"
) -> AsyncGenerator[bytes, None]:
    """RFC 4180 in UTF-8, a header first; text that a spreadsheet would run starts with ``'``.

    The order is one of `export_rows`.
    """
    # With the first page, so that a database out of reach is known before anything is said.
    header = csv_lines([EXPORT_COLUMNS])
    async for page in export_rows(pool, wanted, base_url=base_url, sort=sort):
        yield header + csv_lines([[_csv_cell(cell) for cell in row.cells()] for row in page])
        header = b""
    if header:
        yield header


async def json_chunks(
    pool: Pool, wanted: DiscrepancyFilter, *, base_url: str, sort: str = "age"
) -> AsyncGenerator[bytes, None]:
    """An array of objects with the columns as keys; money is a decimal string.

    The order is one of `export_rows`.
    """
    separator = b"["
    async for page in export_rows(pool, wanted, base_url=base_url, sort=sort):
        written = [
            msgspec.json.encode(
                {
                    name: str(cell) if isinstance(cell, Money) else cell
                    for name, cell in zip(EXPORT_COLUMNS, row.cells(), strict=True)
                }
            )
            for row in page
        ]
        yield separator + b",\n".join(written)
        separator = b",\n"
    yield b"]\n" if separator != b"[" else b"[]\n"


def _csv_cell(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return plain_text(cell)
        case datetime():
            return format_time(cell)
        case UUID() | int() | Money():
            return str(cell)
