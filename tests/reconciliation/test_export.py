"""Exports: the columns of the contract, every digit, no formula, flat memory."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import tempfile
import threading
import tracemalloc
import zipfile
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from recon.clock import new_id, now
from recon.db import open_pool
from recon.errors import Unprocessable
from recon.reconciliation import Cause, DiscrepancyFilter, Status, xlsx
from recon.reconciliation.assign import assign
from recon.reconciliation.comment import comment
from recon.reconciliation.decide import approve
from recon.reconciliation.export import csv_chunks, json_chunks
from recon.reconciliation.export_rows import EXPORT_COLUMNS
from recon.reconciliation.ignore import ignore
from recon.reconciliation.propose import propose
from recon.reconciliation.read import list_discrepancies
from recon.reconciliation.xlsx import write_xlsx, xlsx_chunks
from tests.reconciliation.cases import Cases, by

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

# The page specification's list, word for word.
COLUMNS = [
    "discrepancy_id",
    "run_id",
    "as_of_ledger",
    "as_of_game",
    "user_id",
    "currency",
    "ledger_balance",
    "game_balance",
    "difference",
    "in_flight",
    "explained",
    "unexplained",
    "cause",
    "severity",
    "status",
    "first_seen_at",
    "age_hours",
    "occurrences",
    "assignee",
    "resolution",
    "adjustment_id",
    "proposed_by",
    "approved_by",
    "last_comment",
    "url",
]

ALL = DiscrepancyFilter()
BASE = "https://recon.test"
NAMESPACE = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


@pytest.fixture
def cases(pool: Pool) -> Cases:
    return Cases(pool)


async def whole(chunks: AsyncIterator[bytes]) -> str:
    return b"".join([chunk async for chunk in chunks]).decode()


def names_in(directory: Path) -> list[str]:
    return [path.name for path in directory.iterdir()]


async def as_csv(cases: Cases, wanted: DiscrepancyFilter = ALL) -> list[dict[str, str]]:
    text = await whole(csv_chunks(cases.pool, wanted, base_url=BASE))
    return list(csv.DictReader(io.StringIO(text, newline="")))


async def as_json(cases: Cases, wanted: DiscrepancyFilter = ALL) -> list[dict[str, object]]:
    text = await whole(json_chunks(cases.pool, wanted, base_url=BASE))
    rows: list[dict[str, object]] = json.loads(text)
    return rows


def sheets_of(path: Path) -> dict[str, list[list[str]]]:
    """A workbook's sheets as rows of what stands in their cells, read from its XML."""
    with zipfile.ZipFile(path) as archive:
        book = ET.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 - our own file
        names = [sheet.attrib["name"] for sheet in book.iterfind("x:sheets/x:sheet", NAMESPACE)]
        trees = [
            ET.fromstring(archive.read(f"xl/worksheets/sheet{n}.xml"))  # noqa: S314 - our own file
            for n in range(1, len(names) + 1)
        ]
    return {
        name: [[_text(cell) for cell in row] for row in tree.iterfind(".//x:row", NAMESPACE)]
        for name, tree in zip(names, trees, strict=True)
    }


def _text(cell: ET.Element) -> str:
    assert cell.find("x:f", NAMESPACE) is None, "a formula"
    return "".join(cell.itertext())


async def test_the_columns_are_those_of_the_contract_in_every_format(
    cases: Cases, tmp_path: Path
) -> None:
    await cases.seen("u_1", "20.00")
    path = tmp_path / "d.xlsx"
    await write_xlsx(cases.pool, ALL, path, base_url=BASE, asked_by="ana")

    assert list(EXPORT_COLUMNS) == COLUMNS
    assert list((await as_csv(cases))[0]) == COLUMNS
    assert list((await as_json(cases))[0]) == COLUMNS
    assert sheets_of(path)["Discrepancies"][0] == COLUMNS


async def test_a_row_says_all_that_is_known_and_done(cases: Cases) -> None:
    await cases.deposit("u_1", "5.00")
    since = now() - timedelta(hours=30, minutes=10)
    case = await cases.seen(
        "u_1", "25.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)], since=since
    )
    await assign(cases.pool, case, "mia", step=by("ana"))
    await comment(cases.pool, case, "first words", step=by("ana"))
    await comment(cases.pool, case, "last words", step=by("leo"))
    proposed = await propose(cases.pool, case, "20.00", "report", step=by("ana"))
    await approve(cases.pool, proposed.adjustment_id, None, step=by("leo"))
    await cases.agrees("u_1")

    (row,) = await as_csv(cases)
    found = await cases.read(case)

    told = {name: row[name] for name in COLUMNS if not name.startswith(("as_of", "first_seen"))}
    assert told == {
        "discrepancy_id": str(case),
        "run_id": str(found.last_run_id),
        "user_id": "u_1",
        "currency": "GBP",
        "ledger_balance": "5.00",
        "game_balance": "25.00",
        "difference": "20.00",
        "in_flight": "0.00",
        "explained": "20.00",
        "unexplained": "0.00",
        "cause": "missing_webhook",
        "severity": "medium",
        "status": "resolved",
        "age_hours": "30",
        "occurrences": "1",
        "assignee": "mia",
        "resolution": "an adjustment of 20.00 GBP was booked",
        "adjustment_id": str(proposed.adjustment_id),
        "proposed_by": "ana",
        "approved_by": "leo",
        "last_comment": "last words",
        "url": f"https://recon.test/discrepancies/{case}",
    }
    assert datetime.fromisoformat(row["first_seen_at"]) == since
    assert row["as_of_game"] == "2026-01-01T09:00:00Z"


async def test_what_is_not_known_is_empty_in_csv_and_null_in_json(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    await propose(cases.pool, case, "20.00", "report", step=by("ana"))

    (line,), (row,) = await as_csv(cases), await as_json(cases)

    assert (line["assignee"], row["assignee"]) == ("", None)
    assert (line["proposed_by"], row["proposed_by"]) == ("ana", "ana")
    # Not decided, so nobody approved.
    assert (line["approved_by"], row["approved_by"]) == ("", None)
    assert (line["resolution"], row["resolution"]) == ("", None)


async def test_an_ignored_one_says_why(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    await ignore(cases.pool, case, "a test account", until=None, step=by("ana"))

    assert (await as_csv(cases))[0]["resolution"] == "ignored: a test account"


async def test_every_row_is_an_equation_also_where_only_held_money_differs(cases: Cases) -> None:
    await cases.deposit("u_1", "5.00")
    await cases.deposit("u_2", "5.00")
    await cases.seen("u_1", "5.00", held="3.00")
    await cases.seen("u_2", "1.50", held="3.00")

    rows = {row["user_id"]: row for row in await as_csv(cases)}

    told = [
        (row["ledger_balance"], row["game_balance"], row["difference"], row["in_flight"])
        for row in (rows["u_1"], rows["u_2"])
    ]
    assert told == [("0.00", "3.00", "3.00", "0.00"), ("5.00", "1.50", "-3.50", "0.00")]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
async def test_text_that_a_spreadsheet_would_run_is_text_in_csv(cases: Cases, start: str) -> None:
    case = await cases.seen("u_1", "20.00")
    risky = f"{start}HYPERLINK(evil)"
    await comment(cases.pool, case, risky, step=by("ana"))
    await assign(cases.pool, case, f'{start}1+1,"quoted"', step=by("ana"))

    (row,) = await as_csv(cases)

    assert row["last_comment"] == f"'{risky}"
    assert row["assignee"] == f'\'{start}1+1,"quoted"'


async def test_a_negative_amount_stays_a_number_in_csv(cases: Cases) -> None:
    await cases.deposit("u_1", "20.00")
    await cases.seen("u_1", "0.00")

    assert (await as_csv(cases))[0]["difference"] == "-20.00"


async def test_a_comment_of_several_lines_is_one_cell(cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    await comment(cases.pool, case, 'one\r\ntwo, "three"\n', step=by("ana"))

    (row,) = await as_csv(cases)

    assert row["last_comment"] == 'one\r\ntwo, "three"\n'


async def test_json_holds_money_as_strings_to_the_last_digit(cases: Cases) -> None:
    await cases.seen("u_1", "12345678901234567.123456789012345678", currency="ETH")

    (row,) = await as_json(cases)

    assert row["difference"] == "12345678901234567.123456789012345678"
    assert row["occurrences"] == 1


async def test_a_filter_holds_for_the_export(cases: Cases) -> None:
    mine = await cases.seen("u_1", "20.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])
    await cases.seen("u_2", "20.00")
    cleared = await cases.seen("u_3", "20.00", currency="EUR")
    await cases.agrees("u_3", "EUR")

    async def ids(wanted: DiscrepancyFilter) -> list[object]:
        return [row["discrepancy_id"] for row in await as_json(cases, wanted)]

    assert await ids(DiscrepancyFilter(user_id="u_1")) == [str(mine)]
    assert await ids(DiscrepancyFilter(causes=(Cause.MISSING_WEBHOOK,))) == [str(mine)]
    assert await ids(DiscrepancyFilter(statuses=(Status.CLEARED,))) == [str(cleared)]
    assert await ids(DiscrepancyFilter(currency="EUR")) == [str(cleared)]
    run_id = (await cases.read(mine)).last_run_id
    assert await ids(DiscrepancyFilter(run_id=run_id)) == [str(mine)]


async def test_nothing_to_export_is_a_header_or_an_empty_array(
    cases: Cases, tmp_path: Path
) -> None:
    path = tmp_path / "d.xlsx"

    assert await whole(csv_chunks(cases.pool, ALL, base_url=BASE)) == ",".join(COLUMNS) + "\r\n"
    assert await as_json(cases) == []
    assert await write_xlsx(cases.pool, ALL, path, base_url=BASE, asked_by="ana") == 0
    assert sheets_of(path)["Discrepancies"] == [COLUMNS]


async def test_the_workbook_has_its_four_sheets_and_their_sums(
    cases: Cases, tmp_path: Path
) -> None:
    await cases.deposit("u_2", "7.50")
    await cases.seen(
        "u_1",
        "25.00",
        evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK), ("p2", "5.00", Cause.MISSING_WEBHOOK)],
    )
    await cases.seen("u_2", "0.00")
    await cases.seen("u_3", "3", currency="JPY")
    path = tmp_path / "d.xlsx"

    wanted = DiscrepancyFilter(statuses=(Status.OPEN,))
    count = await write_xlsx(cases.pool, wanted, path, base_url=BASE, asked_by="ana")
    sheets = sheets_of(path)

    assert count == 3
    assert list(sheets) == ["Summary", "Discrepancies", "Evidence", "Parameters"]
    assert sheets["Summary"][:3] == [
        ["currency", "count", "plus", "minus", "net", "explained", "unexplained"],
        ["GBP", "2", "25.00", "-7.50", "17.50", "25.00", "-7.50"],
        ["JPY", "1", "3", "0", "3", "0", "3"],
    ]
    assert ["cause", "missing_webhook", "1"] in sheets["Summary"]
    assert ["status", "open", "3"] in sheets["Summary"]
    assert [row[3:6] for row in sheets["Evidence"]] == [
        ["kind", "id", "amount"],
        ["payment", "p1", "20.00"],
        ["payment", "p2", "5.00"],
    ]
    assert ["made_for", "ana"] in sheets["Parameters"]
    assert ["status", "open"] in sheets["Parameters"]


async def test_no_text_is_a_formula_or_a_link_in_the_workbook(cases: Cases, tmp_path: Path) -> None:
    case = await cases.seen("u_1", "20.00")
    await comment(cases.pool, case, "=1+1", step=by("ana"))
    await assign(cases.pool, case, "https://evil.test/", step=by("ana"))
    path = tmp_path / "d.xlsx"
    await write_xlsx(cases.pool, ALL, path, base_url=BASE, asked_by="=2+2")

    row = sheets_of(path)["Discrepancies"][1]  # refuses any cell with a formula

    assert "=1+1" in row
    assert "https://evil.test/" in row
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if "rels" in name and "sheet" in name]


async def test_an_amount_longer_than_excel_keeps_is_text_in_the_workbook(
    cases: Cases, tmp_path: Path
) -> None:
    await cases.seen("u_1", "1234567890123.45")
    await cases.seen("u_2", "12345678901234.56")
    path = tmp_path / "d.xlsx"
    await write_xlsx(cases.pool, ALL, path, base_url=BASE, asked_by="ana")

    with zipfile.ZipFile(path) as archive:
        xml = archive.read("xl/worksheets/sheet2.xml").decode()

    assert re.search(r"<v>1234567890123\.45</v>", xml)
    assert re.search(r"<t>12345678901234\.56</t>", xml)


async def test_more_rows_than_a_sheet_holds_is_refused_not_cut(
    cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "_MAX_ROWS", 3)
    for number in range(3):
        await cases.seen(f"u_{number}", "20.00")

    with pytest.raises(Unprocessable) as refused:
        await write_xlsx(cases.pool, ALL, tmp_path / "d.xlsx", base_url=BASE, asked_by="ana")

    assert refused.value.code == "too_many_rows"


async def test_evidence_that_fills_a_sheet_goes_on_in_the_next(
    cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "_MAX_EVIDENCE", 3)
    fact = {"kind": "payment", "amount": "100", "at": "2026-01-01T09:00:00Z", "summary": "s"}
    for user, count in (("u_1", 4), ("u_2", 3)):
        case = await cases.seen(user, "20.00")
        await cases.pool.execute(
            "UPDATE discrepancies SET evidence = $2 WHERE discrepancy_id = $1",
            *(case, [{**fact, "id": f"{user}-{n}", "cause": "duplicate"} for n in range(count)]),
        )
    path = tmp_path / "d.xlsx"

    await write_xlsx(cases.pool, ALL, path, base_url=BASE, asked_by="ana")
    sheets = sheets_of(path)

    names = ["Summary", "Discrepancies", "Evidence", "Parameters", "Evidence 2", "Evidence 3"]
    assert list(sheets) == names
    told = [[row[4] for row in sheets[name]] for name in names if name.startswith("Evidence")]
    assert [len(ids) for ids in told] == [4, 4, 2]
    assert {ids[0] for ids in told} == {"id"}
    assert len({one for ids in told for one in ids[1:]}) == 7


async def test_what_a_sheet_cannot_hold_is_refused_before_anything_is_written(
    cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(xlsx, "_MAX_ROWS", 3)
    monkeypatch.setattr(xlsx, "_Workbook", None)
    for number in range(3):
        await cases.seen(f"u_{number}", "20.00", currency="EUR")
    chunks = xlsx_chunks(
        cases.pool, DiscrepancyFilter(currency="EUR"), base_url=BASE, asked_by="ana"
    )

    with pytest.raises(Unprocessable, match="narrow the filter"):
        await anext(chunks)


async def test_a_workbook_that_nobody_waits_for_any_more_is_dropped(
    cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    await many(cases, 501)

    async with aclosing(xlsx_chunks(cases.pool, ALL, base_url=BASE, asked_by="ana")) as chunks:
        assert await anext(chunks) == b""
        assert [name.partition("-")[0] for name in names_in(tmp_path)] == ["recon"]

    assert names_in(tmp_path) == []


async def test_the_run_and_the_incident_that_were_asked_for_stand_among_the_parameters(
    cases: Cases, tmp_path: Path
) -> None:
    run_id, incident_id = new_id(), new_id()
    wanted = DiscrepancyFilter(run_id=run_id, incident_id=incident_id)
    path = tmp_path / "d.xlsx"

    await write_xlsx(cases.pool, wanted, path, base_url=BASE, asked_by="ana")

    parameters = sheets_of(path)["Parameters"]
    assert ["run_id", str(run_id)] in parameters
    assert ["incident_id", str(incident_id)] in parameters


async def many(cases: Cases, count: int) -> None:
    """Discrepancies of as many players, written at once."""
    template = await cases.seen("u_0", "20.00")
    async with cases.pool.acquire() as connection:
        columns = [
            row["attname"]
            for row in await connection.fetch(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'discrepancies'::regclass "
                "AND attnum > 0 AND attname NOT IN ('user_id', 'discrepancy_id')"
            )
        ]
        rest = ", ".join(columns)
        await connection.execute(
            f"INSERT INTO discrepancies (user_id, discrepancy_id, {rest}) "  # noqa: S608 - the catalogue's names
            f"SELECT 'u_' || n, k, {rest} FROM discrepancies, unnest($1::uuid[]) "
            "WITH ORDINALITY AS t (k, n) WHERE discrepancy_id = $2",
            [new_id() for _ in range(count - 1)],
            template,
        )


async def test_every_row_stands_there_once_across_pages(cases: Cases) -> None:
    await many(cases, 1203)

    rows = await as_csv(cases)

    ids = [row["discrepancy_id"] for row in rows]
    assert (len(ids), len(set(ids))) == (1203, 1203)
    assert ids == sorted(ids, reverse=True)


async def test_a_page_of_what_a_run_saw_is_read_without_looking_at_the_others(
    cases: Cases,
) -> None:
    """Of 20,000, of which one run saw nearly all and another saw two."""
    await many(cases, 20_000)
    most, few = new_id(), new_id()
    async with cases.pool.acquire() as connection:
        for run_id, users in ((most, "u_%"), (few, "u_77_")):
            await connection.execute(
                "INSERT INTO run_discrepancies (run_id, user_id, discrepancy_id, currency,"
                " standing, difference, explained, unexplained, available_difference,"
                " ledger_version, ledger_available, ledger_held, game_available, game_held)"
                " SELECT $1, user_id,"
                " discrepancy_id, currency, CASE WHEN user_id = 'u_775' THEN 'healed' ELSE"
                " 'opened' END, 1, 0, 1, 1, 1, 0, 0, 1, 0 FROM discrepancies WHERE user_id LIKE $2",
                *(run_id, users),
            )
    ids = {}
    for run_id in (most, few):
        read: list[UUID] = []
        async with cases.pool.acquire() as connection:
            wanted = DiscrepancyFilter(run_id=run_id)
            middle = (await list_discrepancies(connection, wanted, limit=500))[-1].discrepancy_id
            # So often that a plan for any filter would be taken by now, if it might be.
            for _ in range(8):
                page = await list_discrepancies(connection, wanted, before=middle, limit=500)
                read = [one.discrepancy_id for one in page]
            looked = []
            for _ in range(5):  # in one of them, a vacuum may have looked too
                before = await buffers(connection)
                await list_discrepancies(connection, wanted, before=middle, limit=500)
                looked.append(await buffers(connection) - before)
            assert min(looked) < 8_000
        ids[run_id] = read

    assert [len(read) for read in ids.values()] == [500, 0]


async def buffers(connection: asyncpg.Connection[Any]) -> int:
    """How many pages of discrepancies and what runs saw of them were looked at, by whomever."""
    await connection.execute("SELECT pg_stat_force_next_flush()")
    rows = await connection.fetch(
        "SELECT heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit AS looked"
        " FROM pg_statio_user_tables WHERE relname IN ('discrepancies', 'run_discrepancies')"
    )
    return sum(row["looked"] for row in rows)


async def test_a_reader_who_takes_its_time_keeps_no_connection(
    cases: Cases, database_url: str
) -> None:
    await many(cases, 501)

    async with (
        open_pool(database_url, max_size=1) as alone,
        aclosing(csv_chunks(alone, ALL, base_url=BASE)) as chunks,
    ):
        await anext(chunks)
        async with alone.acquire(timeout=60) as connection:
            assert await connection.fetchval("SELECT count(*) FROM discrepancies") == 501
        assert (await anext(chunks)).count(b"\r\n") == 1


async def test_rows_opened_or_closed_meanwhile_neither_double_nor_hide_others(
    cases: Cases,
) -> None:
    await many(cases, 1100)
    chunks = csv_chunks(cases.pool, ALL, base_url=BASE)
    first = await anext(chunks)
    await cases.seen("u_late", "20.00")
    await cases.agrees("u_5")

    text = (first + b"".join([chunk async for chunk in chunks])).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert (len(rows), len({row["discrepancy_id"] for row in rows})) == (1100, 1100)
    assert "u_late" not in {row["user_id"] for row in rows}


async def test_memory_stays_flat_whatever_the_number_of_rows(
    cases: Cases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await many(cases, 2000)

    async def drain() -> int:
        size = 0
        async for chunk in csv_chunks(cases.pool, ALL, base_url=BASE):
            size += len(chunk)
        return size

    peaks = {}
    for name, work in (
        ("csv", drain),
        ("xlsx", lambda: write_xlsx(cases.pool, ALL, tmp_path / "d", base_url=BASE, asked_by="a")),
    ):
        tracemalloc.start()
        done = await work()
        peaks[name] = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        assert done >= 2000

    with capsys.disabled():
        print(f"\nexport of 2000, peak MiB: {peaks}")  # noqa: T201 - a measurement is shown
    # About 2.4 with pages of 500; 2000 rows at once came to 8.4 and 5.1.
    assert max(peaks.values()) < 4


async def test_workbooks_asked_for_at_once_take_their_turns_in_one_thread_beside_the_loop(
    cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await many(cases, 600)
    by: set[int] = set()
    write = xlsx._Workbook.write  # noqa: SLF001 - to see who calls it

    def seen(workbook: Any, page: Any) -> None:  # noqa: ANN401 - passed through
        by.add(threading.get_ident())
        write(workbook, page)

    monkeypatch.setattr(xlsx._Workbook, "write", seen)  # noqa: SLF001
    made = await asyncio.gather(
        *(
            write_xlsx(cases.pool, ALL, tmp_path / f"{n}.xlsx", base_url=BASE, asked_by="ana")
            for n in range(3)
        )
    )

    assert (made, len(by)) == ([600] * 3, 1)
    assert threading.get_ident() not in by
    for n in range(3):
        assert len(sheets_of(tmp_path / f"{n}.xlsx")["Discrepancies"]) == 601
