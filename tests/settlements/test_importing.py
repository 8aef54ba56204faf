"""Once, whole or not at all, and flat in memory: how a file is imported."""

from __future__ import annotations

import asyncio
import gzip
import os
import signal
import sys
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recon.settlements import (
    FindingKind,
    FormatError,
    Imported,
    NotReadableError,
    TruncatedError,
    resolve_explained,
)
from recon.webhooks import Kind
from recon.webhooks.close_case import close_case
from tests.benchmarks import settlements as bench
from tests.settlements.conftest import (
    ADYEN_COLUMNS,
    T0,
    adyen_file,
    adyen_line,
    adyen_payout,
    stripe_file,
    stripe_line,
)

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.settlements import Finding, SettlementFile
    from tests.settlements.conftest import Office


async def test_the_same_file_again_changes_nothing_packed_or_not(
    office: Office, pool: Pool
) -> None:
    await office.deposit("P1")
    content = adyen_file(adyen_line("Settled", "P1"), adyen_line("Settled", "P2"))
    first = await office.take(content)
    before = await _rows(pool)

    again = [await office.take(content), await office.take(gzip.compress(content), name="x.gz")]

    assert [one.is_repeated for one in again] == [True, True]
    assert {one.file.file_id for one in again} == {first.file.file_id}
    assert await _rows(pool) == before


async def test_lines_that_another_file_had_are_not_counted_again(office: Office) -> None:
    for name in ("P1", "P2", "P3"):
        await office.deposit(name)
    one, two, three = (adyen_line("Settled", name) for name in ("P1", "P2", "P3"))
    await office.file(adyen_file(one, two))

    # A later report of the same lines, with a column less: what they say is the same.
    narrow = [name for name in ADYEN_COLUMNS if name != "Reserved4"]
    later = await office.file(
        adyen_file(two, three, adyen_payout("58.50"), columns=narrow), name="later.csv"
    )

    assert (later.lines, later.new_lines, later.repeated_lines, later.matched) == (3, 2, 1, 1)
    (batch,) = await office.batches(later)
    assert (batch.lines, batch.difference.minor) == (4, 0)
    assert [t.gross for t in later.totals if t.currency] == [2000]


async def test_the_same_payment_settled_twice_is_an_amount_too_much(office: Office) -> None:
    await office.deposit("P1")
    await office.file(adyen_file(adyen_line("Settled", "P1")))

    again = await office.file(
        adyen_file(adyen_line("Settled", "P1", batch_number="8", modification_reference="other"))
    )

    found = [f for f in await office.findings(again) if f.kind is FindingKind.AMOUNT_MISMATCH]
    assert [(str(f.settled), str(f.booked)) for f in found] == [("40.00", "20.00")]


async def test_two_imports_at_once_of_one_file_write_it_once(office: Office, pool: Pool) -> None:
    await office.deposit("P1")
    content = adyen_file(adyen_line("Settled", "P1"), adyen_line("Settled", "P2"))

    done: list[Imported] = await asyncio.gather(*[office.take(content) for _ in range(4)])

    assert sorted(one.is_repeated for one in done) == [False, True, True, True]
    assert len({one.file.file_id for one in done}) == 1
    assert (await _rows(pool))["settlement_lines"] == 2
    assert await pool.fetchval("SELECT lines FROM settlement_batches") == 2


ROOT = Path(__file__).parents[2]
KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from recon.db import open_pool
from recon.settlements import writing
from tests.settlements.conftest import Office

async def main() -> None:
    copy_in = writing.copy_in
    async def killed(connection, table, columns, path):
        await copy_in(connection, table, columns, path)
        if table == "settlement_findings":
            print("everything is written and nothing is committed", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
    writing.copy_in = killed
    async with open_pool(sys.argv[1]) as pool:
        await Office(pool).take(Path(sys.argv[2]).read_bytes())

asyncio.run(main())
"""


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.glob("recon-settlement-*")]


async def test_an_import_that_is_killed_leaves_nothing_and_can_be_run_again(
    office: Office, pool: Pool, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.deposit("P1")
    content = adyen_file(adyen_line("Settled", "P1"), adyen_line("Settled", "P2"))
    (tmp_path / "report.csv").write_bytes(content)
    before = await _rows(pool)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", KILLED, database_url, str(tmp_path / "report.csv")),
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()

    assert (process.returncode, b"nothing is committed" in said) == (-signal.SIGKILL, True)
    assert await _rows(pool) == before
    assert left_in(tmp_path), "it left its work"

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    imported = await office.take(content)

    assert (imported.is_repeated, imported.file.matched) == (False, 1)
    assert left_in(tmp_path) == [], "the next import removes what was left"


async def test_a_finding_is_resolved_when_the_late_webhook_is_booked(
    office: Office, pool: Pool
) -> None:
    await office.register("order-P1")
    await office.register("order-P2", user="u_8")
    file = await office.file(
        adyen_file(
            adyen_line("Settled", "P1"),
            adyen_line("Settled", "P2"),
            adyen_line("Refunded", "P1", gross="5.00", net="5.00", modification_reference="R1"),
        )
    )
    assert [(f.about, f.amount.minor, f.reference) for f in await office.facts()] == [
        ("refund", -500, "order-P1"),
        ("deposit", 2000, "order-P1"),
    ]
    assert await resolve_explained(pool) == 0

    await office.deposit("P1", user_id=None)
    assert await resolve_explained(pool) == 1
    await office.report(Kind.DEPOSIT_REFUNDED, "P1", effect_id="R1", amount="4.00")
    assert await resolve_explained(pool) == 0, "4.00 does not explain 5.00"

    states = {
        (f.payment_id, f.about): (f.state, f.resolution)
        for f in await office.findings(file)
        if f.kind is FindingKind.MISSING_HERE
    }
    assert states == {
        ("P1", "deposit"): ("resolved", "what is booked agrees by now"),
        ("P2", "deposit"): ("open", None),
        ("P1", "refund"): ("open", None),
    }
    assert [(f.about, f.amount.minor) for f in await office.facts()] == [("refund", -500)]
    assert [case.reference for case in await office.cases("closed")] == ["order-P1"]


async def test_what_is_in_no_file_is_found_once_its_time_has_passed_and_resolved_by_a_later_one(
    office: Office,
) -> None:
    day = timedelta(days=1)
    for number in range(6):
        await office.deposit(f"P{number}", at=T0 + number * day)

    def settled(*numbers: int) -> bytes:
        return adyen_file(
            *(adyen_line("Settled", f"P{n}", at=T0 + n * day + day / 2) for n in numbers)
        )

    first = await office.file(settled(0, 2), name="first.csv")
    assert [f.payment_id for f in await _missing_there(office, first)] == [], "two days of grace"
    second = await office.file(settled(3, 5), name="second.csv")
    assert [f.payment_id for f in await _missing_there(office, second)] == ["P1"]
    assert [(f.kind, f.amount.minor) for f in await office.facts()] == [("missing_there", -2000)]
    third = await office.file(settled(4), name="third.csv")
    assert await _missing_there(office, third) == []

    await office.file(settled(1), name="late.csv")
    (found,) = await _missing_there(office, second)
    assert (found.state, found.resolution) == ("resolved", "explained by late.csv")
    assert await office.facts() == []


async def test_closing_its_case_dismisses_a_finding(office: Office, pool: Pool) -> None:
    file = await office.file(adyen_file(adyen_line("Settled", "P1"), adyen_payout("19.50")))
    (case,) = await office.cases()

    await close_case(pool, case.case_id, "test money", actor="ada")

    (found,) = await office.findings(file)
    assert (found.state, found.resolution) == ("dismissed", "ada: test money")
    assert (case.kind, case.reference, str(case.amount)) == (
        *("settlement_missing_here", "order-P1", "20.00"),
    )


async def test_beyond_fifty_the_findings_of_a_kind_share_a_case(office: Office, pool: Pool) -> None:
    file = await office.file(
        stripe_file(*(stripe_line("charge", number) for number in range(60))), "stripe"
    )

    cases = await office.cases()
    assert (len(cases), file.open_findings) == (51, 60)
    (shared,) = [case for case in cases if case.amount is None]
    assert shared.reason.startswith("10 findings of kind missing_here in report.csv, the first in")
    await close_case(pool, shared.case_id, "known", actor="ada")
    assert (await office.files())[0].open_findings == 50


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"", NotReadableError, "the file is empty"),
        (b"\xef\xbb\xbf\n", NotReadableError, "the file is empty"),
        (adyen_file().decode().encode("utf-16"), NotReadableError, "UTF-16; save it as UTF-8"),
        (b"PK\x03\x04 and more", NotReadableError, "a zip archive or a workbook; unpack it"),
        (b"hello\nworld\n", FormatError, "no header of a settlement file"),
        (adyen_file(), NotReadableError, "it has a header and nothing else"),
        (adyen_file(adyen_line("Settled", "P1"))[:-20], TruncatedError, "in the middle of line 2"),
        (
            adyen_file(adyen_line("Settled", "P1"), adyen_payout("1.00"))[:-60],
            TruncatedError,
            "in the middle of line 3",
        ),
        (gzip.compress(adyen_file(adyen_line()))[:-9], TruncatedError, "packed file is cut off"),
        (b"\x1f\x8bnonsense", NotReadableError, "cannot be unpacked"),
        (
            adyen_file(adyen_line()) + b"junk\n" * 1001,
            NotReadableError,
            "more than 1000 lines cannot be read, so nothing was imported. line 3: it has 1 col",
        ),
        (
            adyen_file(*(adyen_line("Settled", f"P{n}", gross="x") for n in range(1001))),
            NotReadableError,
            "more than 1000 lines cannot be read, so nothing was imported. line 2: its amount is",
        ),
    ],
)
async def test_what_is_no_settlement_file_is_refused_whole(
    office: Office, content: bytes, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        await office.file(content)

    assert await office.files() == []


async def test_lines_that_cannot_be_read_are_told_one_by_one_and_no_other_is_lost(
    office: Office,
) -> None:
    for number in range(1, 9):
        await office.deposit(f"P{number}")
    good = adyen_file(*(adyen_line("Settled", f"P{number}") for number in range(1, 9)))
    lines = good.split(b"\n")
    lines[2] = lines[2].replace(b"TestMerchant", b"Test\xffMerchant", 1)
    lines[3] = lines[3].replace(b"order-P3", b'a "stray quote')
    lines[4] = lines[4].replace(b"2025-03-01", b"2025-02-30")
    lines[5] = lines[5].replace(b",UTC,", b",XYZ,")
    lines[6] = lines[6].replace(b"order-P6", b'"=cmd|\' /C calc\'!A0,\r\nwith ""a"" line"')
    lines[7] = b"\0" + lines[7]
    content = b"\xef\xbb\xbf" + b"\r\n".join(lines)

    file = await office.file(content)

    told = {
        f.line_no: f.detail
        for f in await office.findings(file)
        if f.kind is FindingKind.REJECTED_LINE
    }
    assert told == {
        3: "it is not UTF-8 (byte 10 of the line)",
        5: "its time cannot be read",
        6: "its time zone XYZ is not known",
        9: "it holds a NUL byte",
    }
    assert (file.lines, file.rejected_lines, file.matched) == (8, 4, 4)


async def test_a_bare_carriage_return_ends_no_line(office: Office) -> None:
    await office.deposit("P2")
    content = adyen_file(adyen_line("Settled", "P1"), adyen_line("Settled", "P2"))

    file = await office.file(content.replace(b"order-P1", b"or\rder"))

    (found,) = [f for f in await office.findings(file) if f.kind is FindingKind.REJECTED_LINE]
    assert (found.line_no, found.detail) == (2, "a line end stands in the middle of it")
    assert (file.lines, file.matched) == (2, 1)


async def test_a_quote_that_never_closes_takes_no_other_line_with_it(office: Office) -> None:
    for number in range(5):
        await office.deposit(f"P{number}")
    content = adyen_file(*(adyen_line("Settled", f"P{number}") for number in range(5)))

    file = await office.file(content.replace(b"order-P1", b'"order'))

    found = [f for f in await office.findings(file) if f.kind is FindingKind.REJECTED_LINE]
    assert [(f.line_no, f.detail) for f in found] == [(3, "a quote is opened and not closed")]
    assert file.matched == 4


async def test_titles_may_stand_above_the_header(office: Office) -> None:
    content = b"Settlement report\nMarch\n\n" + adyen_file(adyen_line("Settled", "P1"))

    (found, _) = await office.findings(await office.file(content))

    assert (found.kind, found.line_no) == (FindingKind.MISSING_HERE, 5)


async def test_a_file_of_many_thousands_is_compared_within_bounded_memory(
    owner: Pool, pool: Pool, tmp_path: Path
) -> None:
    bench.generate(tmp_path / "report.csv", 20_000)
    await bench.book(owner, 20_000)

    measured = await bench.measure(pool, tmp_path / "report.csv")

    # One in a thousand each; of the last two days it cannot be said yet what is missing there.
    assert measured["findings"] == {
        "missing_here": 20,
        "missing_there": 18,
        "amount_mismatch": 20,
    }
    assert (measured["lines"], measured["matched"]) == (19_981, 19_940)


async def _missing_there(office: Office, file: SettlementFile) -> list[Finding]:
    return [f for f in await office.findings(file) if f.kind is FindingKind.MISSING_THERE]


async def _rows(pool: Pool) -> dict[str, int]:
    tables = (
        *("settlement_files", "settlement_lines", "settlement_batches", "settlement_findings"),
        *("cases", "audit"),
    )
    return {
        table: await pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of our own
        for table in tables
    }
