"""A plain file of any PSP, its columns named."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.errors import Invalid
from recon.settlements import FindingKind, FormatError, resolve_explained
from recon.webhooks import Kind
from tests.settlements.conftest import T0, table

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.settlements.conftest import Office

COLUMNS = ["reference", "amount", "currency", "settled_at", "kind", "fee", "batch", "effect_id"]


def line(reference: str, amount: str = "20.00", **more: str) -> dict[str, str]:
    return {
        "reference": reference,
        "amount": amount,
        "currency": "GBP",
        "settled_at": f"{T0:%Y-%m-%dT%H:%M:%SZ}",
        "kind": "deposit",
        **more,
    }


async def test_a_payment_is_found_by_the_reference_it_was_registered_under(office: Office) -> None:
    await office.deposit("p1", endpoint="standard")
    await office.register("order-p2", endpoint="standard", user="u_8")
    await office.report(
        Kind.DEPOSIT_REFUNDED, "p1", endpoint="standard", effect_id="r1", amount="4.00"
    )

    file = await office.file(
        table(
            COLUMNS,
            [
                line("order-p1", fee="0.50", batch="b1"),
                line("order-p1", "4.00", kind="refund", effect_id="r1", batch="b1"),
                line("order-p2"),
                line("", "15.50", kind="payout", batch="b1"),
            ],
        ),
        "standard",
    )

    assert file.matched == 2
    (found,) = await office.findings(file)
    assert (found.kind, found.reference, found.user_id) == (
        *(FindingKind.MISSING_HERE, "order-p2", "u_8"),
    )
    assert "payment order-p2 is registered here, and nobody has reported it yet" in found.detail
    (batch,) = await office.batches(file)
    assert batch.difference.minor == 0


async def test_a_reference_finds_its_payment_though_it_is_reported_only_later(
    office: Office, pool: Pool
) -> None:
    await office.deposit("p1", endpoint="standard")
    await office.register("order-p2", endpoint="standard")
    first = await office.file(table(COLUMNS, [line("order-p1"), line("order-p2")]), "standard")
    assert (first.matched, first.open_findings) == (1, 1)

    await office.deposit("p2", endpoint="standard", user_id=None)
    assert await resolve_explained(pool) == 1
    # By the next file it can be said of both that they should be in one: they are.
    later = f"{T0 + timedelta(days=3):%Y-%m-%dT%H:%M:%SZ}"
    earlier = f"{T0 - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"
    await office.deposit("p0", endpoint="standard")
    more = [
        line("", "1.00", kind="fee", settled_at=earlier, batch="b0"),
        line("order-p9", settled_at=later, batch="b9"),
    ]
    second = await office.file(table(COLUMNS, more), "standard")

    assert [(f.kind, f.payment_id) for f in await office.findings(second)] == [
        (FindingKind.MISSING_HERE, None),
        (FindingKind.MISSING_THERE, "p0"),
    ]


async def test_columns_are_mapped_and_times_are_of_the_zone_that_is_said(office: Office) -> None:
    await office.deposit("p1", endpoint="standard", at=T0)
    content = b"Ref;Betrag;Cur;When\np1;20.00;gbp;2025-07-01 12:00:00\n"

    file = await office.file(
        content,
        "standard",
        columns={"payment_id": "Ref", "amount": "Betrag", "currency": "Cur", "settled_at": "When"},
        delimiter=";",
        timezone="Europe/Berlin",
    )

    assert file.matched == 1
    assert file.period_from.isoformat() == "2025-07-01T10:00:00+00:00"


async def test_what_stands_around_a_field_is_no_part_of_it(office: Office) -> None:
    await office.deposit("p1", endpoint="standard", at=T0)
    await office.deposit("p2", endpoint="standard", at=T0)
    content = (
        "payment_id , amount,currency,settled_at\n"
        f" p1 ,20.00 , gbp,{T0:%Y-%m-%d %H:%M:%S} \n"
        f'" p2",20.00,GBP," {T0:%Y-%m-%d %H:%M:%S}"'
    )

    file = await office.file(content.encode(), "standard")

    assert (file.lines, file.matched, file.open_findings) == (2, 2, 0)


async def test_what_a_plain_file_lacks_is_said(office: Office) -> None:
    with pytest.raises(FormatError, match=r"it lacks currency, payment_id or reference$"):
        await office.file(b"id,amount,settled_at\n1,2,3\n", "standard")
    with pytest.raises(FormatError, match=r"it lacks Nowhere"):
        await office.file(
            table(COLUMNS, [line("x")]), "standard", columns={"payment_id": "Nowhere"}
        )
    with pytest.raises(Invalid, match="'colour' is no column of ours"):
        await office.file(table(COLUMNS, [line("x")]), "standard", columns={"colour": "amount"})


async def test_an_amount_goes_the_way_of_its_kind_and_is_never_below_zero(office: Office) -> None:
    file = await office.file(
        table(COLUMNS, [line("a", "-1.00"), line("b", kind="gift"), line("c")]), "standard"
    )

    assert {(f.kind, f.line_no) for f in await office.findings(file)} == {
        (FindingKind.REJECTED_LINE, 2),
        (FindingKind.UNKNOWN_TYPE, 3),
        (FindingKind.MISSING_HERE, 4),
    }


async def test_a_withdrawal_is_missed_only_in_files_that_tell_of_withdrawals(
    office: Office,
) -> None:
    early = T0 - timedelta(days=5)
    await office.deposit("p0", "90.00", endpoint="standard", at=early)
    for name in ("w1", "w2"):
        await office.register(f"order-{name}", endpoint="standard", direction="withdrawal")
        await office.report(Kind.WITHDRAWAL_PAID, name, endpoint="standard", at=early)
    start = f"{early - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    deposits = [line("order-p0", "90.00", settled_at=start), line("", "1.00", kind="fee")]

    without = await office.file(table(COLUMNS, deposits), "standard")
    assert await office.findings(without) == []

    paid = line("order-w1", kind="withdrawal", settled_at=f"{T0 + timedelta(days=9):%Y-%m-%d}")
    told = await office.file(table(COLUMNS, [paid]), "standard", grace=timedelta(days=10))
    assert told.matched == 1
