"""Files that are odd, wrong or hostile: refused by name, or read as they are meant."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import duckdb
import pytest

from recon.clock import now
from recon.errors import Invalid
from recon.settlements import FindingKind, FormatError, ImportOptions, NotReadableError
from recon.settlements.formats import Layout, Word
from recon.settlements.model import Format, LineKind
from recon.settlements.stage import Stage
from recon.webhooks import Kind
from tests.settlements.conftest import (
    T0,
    adyen_file,
    adyen_line,
    adyen_payout,
    stripe_file,
    stripe_line,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.settlements.conftest import Office

HEADER = "payment_id,amount,currency,settled_at\n"
AT = f"{T0:%Y-%m-%d %H:%M:%S}"


async def test_whatever_stands_between_the_columns_of_a_report_is_found_out(
    office: Office,
) -> None:
    await office.deposit("P1")
    lines = adyen_file(adyen_line("Settled", "P1")).decode().splitlines()
    for number, cut in enumerate((";", "\t", "|")):
        content = "\r\n".join(line.replace(",", cut) for line in lines).encode()

        said = await office.file(content, delimiter=cut)
        again = await office.take(content)

        assert (said.lines, said.matched, said.repeated_lines) == (1, number == 0, number > 0)
        assert again.is_repeated


async def test_what_stands_between_columns_may_stand_in_a_quoted_field_too(office: Office) -> None:
    await office.deposit("p!1", endpoint="standard")
    content = HEADER.replace(",", "!") + f'"p!1"!20.00!GBP!{AT}\n'

    assert (await office.file(content.encode(), "standard", delimiter="!")).matched == 1
    for odd in ("", "ab", '"', "\n", "1", "x", " ", "-", ".", ":"):
        with pytest.raises(Invalid, match="a column ends with") as refused:
            await office.file(content.encode(), "standard", delimiter=odd)
        assert refused.value.code == "invalid_delimiter"


async def test_a_line_of_megabytes_is_rejected_and_no_other(office: Office) -> None:
    await office.deposit("p1", endpoint="standard")
    long = f"{'x' * 3_000_000},20.00,GBP,{AT}\n"
    quoted = f'"{"y" * 3_000_000}",20.00,GBP,{AT}\n'

    file = await office.file(f"{HEADER}{long}{quoted}p1,20.00,GBP,{AT}\n".encode(), "standard")

    assert [(f.line_no, f.detail) for f in await office.findings(file)] == [
        (2, "it is longer than 256 KiB"),
        (3, "it is longer than 256 KiB"),
    ]
    assert file.matched == 1


async def test_no_amount_is_so_large_that_their_sum_is_no_number(office: Office) -> None:
    huge = "9" * 20 + ".999999999999999999"
    lines = "".join(f"p{n},{huge},ETH,{AT}\n" for n in range(3))
    fine = f"p9,{'9' * 11}.000000000000000001,ETH,{AT}\n"

    file = await office.file(f"{HEADER}{lines}{fine}".encode(), "standard")

    assert [f.detail for f in await office.findings(file) if f.line_no != 5] == [
        "its amount is no amount of ETH"
    ] * 3
    assert file.new_lines == 1


async def test_what_is_no_plain_decimal_is_no_amount(office: Office) -> None:
    odd = ["NaN", "inf", "1e3", "1,000.00", "0x10", "+5", "\u0665", ".5", "5.", "20.001"]
    lines = "".join(f'p{n},"{amount}",GBP,{AT}\n' for n, amount in enumerate(odd))

    file = await office.file(f"{HEADER}{lines}p99,20.00,GBP,{AT}\n".encode(), "standard")

    assert (file.rejected_lines, file.new_lines) == (len(odd), 1)


async def test_a_column_that_is_there_twice_is_taken_for_neither(office: Office) -> None:
    twice = "payment_id,amount,currency,settled_at,Amount\n" + f"p1,20.00,GBP,{AT},99.00\n"

    with pytest.raises(FormatError, match="it has two columns amount"):
        await office.file(twice.encode(), "standard")


async def test_a_name_is_kept_as_text_whatever_is_in_it(office: Office) -> None:
    name = os.fsdecode(b"r\xe9port'; DROP TABLE x; --*?[a].csv") + "\0" + "x" * 500

    file = await office.file(adyen_file(adyen_line("Settled", "P1")), name=name)

    assert file.name.startswith("r?port'; DROP TABLE x; --*?[a].csv")
    assert len(file.name) == 255


def test_the_stage_reads_and_writes_in_its_folder_alone(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out.csv"
    inside.mkdir()
    outside.write_text("secret\n")
    layout = Layout(
        format=Format.PLAIN, width=1, fields={}, words=Word.table({LineKind.FEE: ("fee",)})
    )
    stage = Stage(inside, ImportOptions(columns={}, grace=T0 - T0), layout)
    try:
        for statement in (
            f"SELECT * FROM read_csv('{outside}')",  # noqa: S608 - refused
            f"COPY (SELECT 1) TO '{tmp_path / 'made.csv'}'",
            f"ATTACH '{tmp_path / 'other.duckdb'}'",
            "SELECT * FROM read_csv('https://127.0.0.1:1/x.csv')",
            "SET enable_external_access = true",
            "SET temp_directory = '/'",
        ):
            with pytest.raises(duckdb.Error):
                stage.run(statement)
        stage.write("SELECT 1", inside / "fine.csv")
    finally:
        stage.close()
    assert (inside / "fine.csv").read_text() == "1\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.csv"]


async def test_a_payout_to_a_player_that_was_never_reported_paid_is_missing_here(
    office: Office,
) -> None:
    await office.deposit("pi_0", "90.00", endpoint="stripe")
    for number in (8, 9):
        await office.register(
            f"order-po_{number}", endpoint="stripe", direction="withdrawal", amount="7.00"
        )
    await office.report(Kind.WITHDRAWAL_ACCEPTED, "po_8", endpoint="stripe", amount="7.00")

    def paid(number: int) -> dict[str, str]:
        return stripe_line(
            "payout", number, gross="-7.00", fee="0", net="-7.00", source_id=f"po_{number}",
            payment_intent_id="", automatic_payout_id="", at=now(),
        )  # fmt: skip

    ours = stripe_line("payout", 1, gross="-7.00", fee="0", net="-7.00", source_id="po_auto")
    content = stripe_file(
        paid(8), paid(9), ours, stripe_line("charge", 0, gross="90.00", net="7.00")
    )
    file = await office.file(content, "stripe")

    found = {f.payment_id: f for f in await office.findings(file)}
    assert {
        name: (f.kind, f.about, f.user_id, str(f.settled), f.reference) for name, f in found.items()
    } == {
        "po_8": (FindingKind.MISSING_HERE, "withdrawal", "u_7", "7.00", "order-po_8"),
        "po_9": (FindingKind.MISSING_HERE, "withdrawal", None, "7.00", None),
    }
    assert found["po_8"].detail.endswith("payment order-po_8 is registered here, and accepted")
    assert found["po_9"].detail == (
        "the PSP has paid this out, it is in no batch, and withdrawal order-po_9 of as much waits"
        " to be told of"
    )
    assert [(f.payment_id, f.amount.minor) for f in await office.facts()] == [("po_8", -700)]


async def test_whose_a_payment_is_comes_from_its_own_id_before_our_reference(
    office: Office,
) -> None:
    await office.register("order-A", user="u_1")
    await office.register("order-P1", user="u_2", amount="35.00")
    await office.report(Kind.DEPOSIT_PENDING, "P1", reference="order-A", user_id=None)

    file = await office.file(adyen_file(adyen_line("Settled", "P1"), adyen_payout("19.50")))

    (found,) = await office.findings(file)
    assert (found.user_id, found.reference) == ("u_1", "order-A")
    assert "payment order-A is registered here" in found.detail


async def test_latin_1_and_utf_16_are_told_apart_from_utf_8(office: Office) -> None:
    line = adyen_line("Settled", "P1") | {"Company Account": "Café"}
    text = adyen_file(line, adyen_line("Settled", "P2")).decode()

    file = await office.file(text.encode("latin-1"))
    assert [f.detail for f in await office.findings(file) if f.line_no == 2] == [
        "it is not UTF-8 (byte 4 of the line)"
    ]
    for encoding in ("utf-16", "utf-16-le"):
        with pytest.raises((NotReadableError, FormatError)):
            await office.file(text.encode(encoding))
