"""Export discrepancies as a workbook, written row by row in a thread."""

from __future__ import annotations

import asyncio
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import xlsxwriter

from recon.clock import format_time, now
from recon.db import load
from recon.errors import Unprocessable
from recon.money import Money, exponent_of
from recon.reconciliation.export_rows import (
    EXPORT_COLUMNS,
    Cell,
    EvidenceRow,
    ExportRow,
    export_rows,
)
from recon.reconciliation.read import matching

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from recon.db import Pool
    from recon.reconciliation.read import DiscrepancyFilter

__all__ = ["write_xlsx", "xlsx_chunks"]

# Excel's own limits: rows of a sheet, and digits of a number that it keeps.
# Source: Microsoft, "Excel specifications and limits".
_MAX_ROWS: Final = 1_048_576
_MAX_DIGITS: Final = 15
# A row is its head.
_MAX_EVIDENCE: Final = _MAX_ROWS - 1

_WRITER: Final = ThreadPoolExecutor(1, "xlsx")
"""One thread for all workbooks of a process, which take their turns page by page.

Whatever is cancelled, a workbook is never in two hands; and however many are asked for at once, the
event loop has one thread beside it that wants the interpreter.
"""

_EVIDENCE_COLUMNS = tuple(field.name for field in fields(EvidenceRow))
_CHUNK = 1 << 16
_SUMMARY_COLUMNS = ("currency", "count", "plus", "minus", "net", "explained", "unexplained")


async def xlsx_chunks(
    pool: Pool, wanted: DiscrepancyFilter, *, base_url: str, asked_by: str, sort: str = "age"
) -> AsyncGenerator[bytes, None]:
    """The workbook's bytes, by way of a file that is gone afterwards; errors as in `write_xlsx`.

    While it is being written the chunks are empty, so that whoever sends them can look whether
    anybody still waits for it; left there, what was written so far is dropped.
    """
    with TemporaryDirectory(prefix="recon-export-") as directory:
        path = Path(directory, "discrepancies.xlsx")
        writing = _write(pool, wanted, path, base_url=base_url, asked_by=asked_by, sort=sort)
        async with aclosing(writing):
            async for _ in writing:
                yield b""
        file = await asyncio.to_thread(path.open, "rb")
        with file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                yield chunk


async def write_xlsx(
    pool: Pool,
    wanted: DiscrepancyFilter,
    path: Path,
    *,
    base_url: str,
    asked_by: str,
    sort: str = "age",
) -> int:
    """Write the sheets Summary, Discrepancies, Evidence and Parameters; how many discrepancies.

    Rows go to temporary files beside ``path`` as they come, so that memory stays flat, and the
    event loop is never held: every page is written in a thread. Evidence that does not fit into one
    sheet goes on in the sheets "Evidence 2" and so on.

    Args:
        pool: the database.
        wanted: which discrepancies.
        path: the file to write, in a directory of the caller's own.
        base_url: where the pages are, for the column ``url``.
        asked_by: who asked for it.
        sort: the order, one of `export_rows`.

    Raises:
        Unprocessable: ``too_many_rows``, more than a sheet can hold.
    """
    count = 0
    writing = _write(pool, wanted, path, base_url=base_url, asked_by=asked_by, sort=sort)
    async for written in writing:
        count += written
    return count


async def _write(
    pool: Pool,
    wanted: DiscrepancyFilter,
    path: Path,
    *,
    base_url: str,
    asked_by: str,
    sort: str,
) -> AsyncGenerator[int, None]:
    """Write the workbook; how many discrepancies each of its pages had."""
    await _refuse_too_many(pool, wanted)
    loop = asyncio.get_running_loop()
    workbook = await loop.run_in_executor(_WRITER, _Workbook, path)
    try:
        async for page in export_rows(pool, wanted, base_url=base_url, sort=sort):
            await loop.run_in_executor(_WRITER, workbook.write, page)
            yield len(page)
        await loop.run_in_executor(_WRITER, workbook.conclude, wanted, asked_by, sort)
    finally:
        await loop.run_in_executor(_WRITER, workbook.drop)


async def _refuse_too_many(pool: Pool, wanted: DiscrepancyFilter) -> None:
    """Say so at once, rather than after minutes of writing.

    Raises:
        Unprocessable: ``too_many_rows``.
    """
    statement = load("recon.reconciliation", "count_matching")
    async with pool.acquire() as connection:
        (row,) = await matching(connection, statement, wanted, before=None, limit=_MAX_ROWS)
    if row["rows"] >= _MAX_ROWS:
        raise _too_many()


def _too_many() -> Unprocessable:
    return Unprocessable(
        f"a sheet holds {_MAX_ROWS} rows; narrow the filter or take CSV", code="too_many_rows"
    )


class _Workbook:
    """The file under way, with the sums for its first sheet."""

    def __init__(self, path: Path) -> None:
        self._concluded = False
        self._book = xlsxwriter.Workbook(
            str(path),
            {
                "constant_memory": True,
                "tmpdir": str(path.parent),
                "strings_to_formulas": False,
                "strings_to_numbers": False,
                "strings_to_urls": False,
            },
        )
        # A sheet of a million rows is longer than 2 GiB before it is compressed.
        self._book.use_zip64()
        self._summary = self._book.add_worksheet("Summary")
        self._discrepancies = self._book.add_worksheet("Discrepancies")
        # One sheet more, where the last one is full.
        self._evidence = [self._book.add_worksheet("Evidence")]
        self._parameters = self._book.add_worksheet("Parameters")
        self._bold = self._book.add_format({"bold": True})
        self._time = self._book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self._money: dict[int, Any] = {}
        self._sums: dict[str, Counter[str]] = {}
        self._states: Counter[tuple[str, str]] = Counter()
        self._evidence_count = 0
        self.count = 0
        self._head(self._discrepancies, EXPORT_COLUMNS)
        self._head(self._evidence[0], _EVIDENCE_COLUMNS)

    def write(self, page: Sequence[ExportRow]) -> None:
        """Append a page of discrepancies and their evidence."""
        for row in page:
            self.count += 1
            self._line(self._discrepancies, self.count, row.cells())
            for fact in row.evidence:
                self._write_fact(fact)
            self._sum(row)

    def conclude(self, wanted: DiscrepancyFilter, asked_by: str, sort: str) -> None:
        """Write the sums and the parameters, and make one file of it all."""
        self._write_summary()
        self._write_parameters(wanted, asked_by, sort)
        self._concluded = True
        self._book.close()

    def drop(self) -> None:
        """Give back what is open, where nobody wants the file any more."""
        if not self._concluded:
            for sheet in self._book.worksheets():
                sheet._opt_close()  # noqa: SLF001 - else only `close`, which writes all of it

    def _head(self, sheet: Any, columns: Sequence[str]) -> None:  # noqa: ANN401 - XlsxWriter has no types
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(columns) - 1, 18)
        self._line(sheet, 0, columns, self._bold)

    def _write_fact(self, fact: EvidenceRow) -> None:
        sheets, at = divmod(self._evidence_count, _MAX_EVIDENCE)
        if sheets == len(self._evidence):
            self._evidence.append(self._book.add_worksheet(f"Evidence {sheets + 1}"))
            self._head(self._evidence[-1], _EVIDENCE_COLUMNS)
        cells = [getattr(fact, name) for name in _EVIDENCE_COLUMNS]
        self._line(self._evidence[-1], at + 1, cells)
        self._evidence_count += 1

    def _sum(self, row: ExportRow) -> None:
        sums = self._sums.setdefault(row.currency, Counter())
        difference = row.difference.minor
        sums["count"] += 1
        sums["plus" if difference > 0 else "minus"] += difference
        sums["net"] += difference
        sums["explained"] += row.explained.minor
        sums["unexplained"] += row.unexplained.minor
        self._states["status", row.status] += 1
        self._states["cause", row.cause] += 1
        self._states["severity", row.severity] += 1

    def _write_summary(self) -> None:
        sheet = self._summary
        sheet.set_column(0, len(_SUMMARY_COLUMNS) - 1, 18)
        self._line(sheet, 0, _SUMMARY_COLUMNS, self._bold)
        at = 0
        for at, (currency, sums) in enumerate(sorted(self._sums.items()), start=1):
            amounts = [Money(sums[name], currency) for name in _SUMMARY_COLUMNS[2:]]
            self._line(sheet, at, [currency, sums["count"], *amounts])
        self._line(sheet, at + 2, ["by", "value", "count"], self._bold)
        for below, ((by, value), count) in enumerate(sorted(self._states.items()), start=at + 3):
            self._line(sheet, below, [by, value, count])

    def _write_parameters(self, wanted: DiscrepancyFilter, asked_by: str, sort: str) -> None:
        sheet = self._parameters
        sheet.set_column(0, 0, 18)
        sheet.set_column(1, 1, 60)
        said = {
            "made_at": format_time(now()),
            "made_for": asked_by,
            **wanted.said(),
            "sort": sort,
            "discrepancies": str(self.count),
            "times": "UTC",
            "difference": "game minus ledger; explained + unexplained",
            "in_flight": "rightly different: game_balance - ledger_balance - difference",
            "amounts": f"numbers up to {_MAX_DIGITS} digits; longer ones are text, whole",
        }
        for at, (name, value) in enumerate(said.items()):
            self._line(sheet, at, [name, value])

    def _line(
        self,
        sheet: Any,  # noqa: ANN401 - XlsxWriter has no types
        at: int,
        cells: Sequence[Cell],
        style: Any = None,  # noqa: ANN401
    ) -> None:
        if at >= _MAX_ROWS:
            raise _too_many()
        for column, cell in enumerate(cells):
            match cell:
                case None:
                    pass
                case Money():
                    self._write_money(sheet, at, column, cell)
                case int():
                    sheet.write_number(at, column, cell, style)
                case datetime():
                    naive = cell.astimezone(UTC).replace(tzinfo=None)
                    sheet.write_datetime(at, column, naive, self._time)
                case str() | UUID():
                    sheet.write_string(at, column, str(cell), style)

    def _write_money(self, sheet: Any, at: int, column: int, amount: Money) -> None:  # noqa: ANN401
        """As a number where Excel keeps every digit of it, else as text."""
        if len(str(abs(amount.minor))) > _MAX_DIGITS:
            sheet.write_string(at, column, str(amount))
            return
        places = exponent_of(amount.currency)
        if places not in self._money:
            decimals = f".{'0' * places}" if places else ""
            self._money[places] = self._book.add_format({"num_format": f"#,##0{decimals}"})
        sheet.write_number(at, column, Decimal(str(amount)), self._money[places])
