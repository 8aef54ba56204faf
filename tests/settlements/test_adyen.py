"""Adyen's settlement details report, as its samples are."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.settlements import FindingKind, LineKind, MerchantAccountError
from recon.webhooks import Kind
from recon.webhooks.inbox import CASE_KINDS
from tests.settlements.conftest import ADYEN_COLUMNS, T0, adyen_file, adyen_line, adyen_payout

if TYPE_CHECKING:
    from tests.settlements.conftest import Office


async def test_a_batch_that_agrees_has_no_finding_and_is_proven_by_its_payout(
    office: Office,
) -> None:
    await office.deposit("P1", "20.00")
    await office.deposit("P2", "30.00")

    file = await office.file(
        adyen_file(
            adyen_line("Settled", "P1", gross="20.00", net="19.50"),
            adyen_line("Settled", "P2", gross="30.00", net="29.50"),
            adyen_line("Fee", gross="", net="1.80"),
            adyen_payout("47.20"),
        )
    )

    assert (file.lines, file.new_lines, file.matched, file.open_findings) == (4, 4, 2, 0)
    assert {(t.kind, t.word, t.lines, t.gross, t.fee, t.net) for t in file.totals} == {
        (LineKind.DEPOSIT, "Settled", 2, 5000, 100, 4900),
        (LineKind.FEE, "Fee", 1, 0, 0, -180),
        (LineKind.PAYOUT, "MerchantPayout", 1, 0, 0, -4720),
    }
    (batch,) = await office.batches(file)
    assert (batch.batch, str(batch.net), str(batch.paid)) == ("TestMerchant/7", "47.20", "-47.20")
    assert batch.difference.minor == 0
    assert await office.cases() == []


async def test_what_befalls_a_payment_is_compared_by_its_own_id(office: Office) -> None:
    await office.deposit("P1")
    await office.report(Kind.DEPOSIT_REFUNDED, "P1", effect_id="R1", amount="5.00")
    await office.report(Kind.DEPOSIT_REFUNDED, "P1", effect_id="R2", amount="6.00")
    await office.report(Kind.DEPOSIT_CHARGED_BACK, "P1", effect_id="C1", amount="9.00")

    file = await office.file(
        adyen_file(
            adyen_line("Settled", "P1"),
            adyen_line("Refunded", "P1", gross="5.00", net="5.00", modification_reference="R1"),
            adyen_line("Refunded", "P1", gross="6.00", net="6.00", modification_reference="R3"),
            adyen_line("Chargeback", "P1", gross="9.00", net="16.50", modification_reference="C1"),
        )
    )

    assert file.matched == 4
    found = [f for f in await office.findings(file) if f.kind is not FindingKind.PAYOUT_MISMATCH]
    # R2 and R3 are both 6.00 of one payment: known by different ids, they are one refund.
    assert found == []


async def test_two_refunds_are_not_mixed_up_though_their_sum_agrees(office: Office) -> None:
    await office.deposit("P1")
    await office.report(Kind.DEPOSIT_REFUNDED, "P1", effect_id="R1", amount="5.00")
    await office.report(Kind.DEPOSIT_REFUNDED, "P1", effect_id="R2", amount="6.00")

    file = await office.file(
        adyen_file(
            adyen_line("Refunded", "P1", gross="6.00", net="6.00", modification_reference="R1"),
            adyen_line("Refunded", "P1", gross="5.00", net="5.00", modification_reference="R2"),
            adyen_payout("-11.00"),
        )
    )

    assert [
        (f.kind, f.effect_id, f.line_no, str(f.settled), str(f.booked))
        for f in await office.findings(file)
    ] == [
        (FindingKind.AMOUNT_MISMATCH, "R1", 2, "6.00", "5.00"),
        (FindingKind.AMOUNT_MISMATCH, "R2", 3, "5.00", "6.00"),
    ]


async def test_what_disagrees_is_found_each_with_its_kind_amounts_and_line(office: Office) -> None:
    await office.deposit("SAME")
    await office.deposit("LESS", "25.00")
    await office.deposit("COIN", "20.00", currency="EUR", at=T0 - timedelta(days=4))
    await office.report(Kind.DEPOSIT_SUCCEEDED, "FAIL")
    await office.report(Kind.DEPOSIT_FAILED, "FAIL", at=T0 + timedelta(hours=1))
    await office.deposit("GONE", at=T0 - timedelta(days=4))

    file = await office.file(
        adyen_file(
            adyen_line("Settled", "SAME", at=T0 - timedelta(days=5)),
            adyen_line("Settled", "LESS"),
            adyen_line("Settled", "COIN"),
            adyen_line("Settled", "FAIL"),
            adyen_line("Settled", "NEW1"),
            adyen_line("Settled", "SAME", at=T0 - timedelta(days=5)),
            adyen_line("Mystery", gross="", net="3.00"),
        )
    )

    found = {f.kind: f for f in await office.findings(file)}
    assert {
        kind: (
            f.payment_id,
            f.line_no,
            f.user_id,
            f.settled and f"{f.settled} {f.settled.currency}",
            f.booked and f"{f.booked} {f.booked.currency}",
        )
        for kind, f in found.items()
    } == {
        FindingKind.AMOUNT_MISMATCH: ("LESS", 3, "u_7", "20.00 GBP", "25.00 GBP"),
        FindingKind.CURRENCY_MISMATCH: ("COIN", 4, "u_7", "20.00 GBP", "20.00 EUR"),
        FindingKind.STATUS_CONFLICT: ("FAIL", 5, "u_7", "20.00 GBP", "0.00 GBP"),
        FindingKind.MISSING_HERE: ("NEW1", 6, None, "20.00 GBP", None),
        FindingKind.DUPLICATE_LINE: ("SAME", 7, None, "20.00 GBP", None),
        FindingKind.UNKNOWN_TYPE: (None, 8, None, "-3.00 GBP", None),
        FindingKind.MISSING_THERE: ("GONE", None, "u_7", None, "20.00 GBP"),
        FindingKind.PAYOUT_MISMATCH: ("TestMerchant/7", None, None, "94.50 GBP", None),
    }
    assert (file.duplicate_lines, file.new_lines, file.matched) == (1, 6, 1)
    cases = [case for case in await office.cases() if case.kind.startswith("settlement_")]
    assert sorted(case.kind for case in cases) == [
        *("settlement_lines", "settlement_lines", "settlement_mismatch", "settlement_mismatch"),
        *("settlement_mismatch", "settlement_missing_here", "settlement_missing_there"),
        "settlement_payout",
    ]
    assert {case.kind for case in cases} <= {*CASE_KINDS}


@pytest.mark.parametrize("seed", range(3))
async def test_columns_may_stand_in_any_order_and_some_be_missing(
    office: Office, seed: int
) -> None:
    await office.deposit("P1")
    columns = [name for name in ADYEN_COLUMNS if not name.startswith(("Reserved", "Markup"))]
    random.Random(seed).shuffle(columns)  # noqa: S311 - an order, no secret

    file = await office.file(
        adyen_file(
            adyen_line("Settled", "P1"), adyen_payout("19.50"), columns=[*columns, "Booking Date"]
        )
    )

    assert (file.matched, file.open_findings) == (1, 0)


async def test_times_are_read_in_the_zone_that_the_line_names(office: Office) -> None:
    file = await office.file(
        adyen_file(adyen_line("Settled", "P1", creation_date="2016-02-18 16:10:51", timezone="PST"))
    )

    assert file.period_from.isoformat() == "2016-02-19T00:10:51+00:00"


async def test_a_file_of_another_merchant_account_is_refused_whole(office: Office) -> None:
    with pytest.raises(MerchantAccountError, match="line 3 is of merchant account OtherMerchant"):
        await office.file(
            adyen_file(
                adyen_line("Settled", "P1"),
                adyen_line("Settled", "P2", merchant_account="OtherMerchant"),
            )
        )

    assert await office.files() == []


async def test_a_withdrawal_that_adyen_says_it_paid_out_is_no_finding(office: Office) -> None:
    await office.deposit("P0", "90.00", at=T0 - timedelta(days=30))
    await office.register("order-W1", direction="withdrawal")
    await office.report(Kind.WITHDRAWAL_ACCEPTED, "W1", user_id=None)

    file = await office.file(
        adyen_file(
            adyen_line("PaidOut", "W1", net="20.00"),
            adyen_line("PaidOut", "W2", net="20.00"),
        )
    )

    missing = [f for f in await office.findings(file) if f.kind is FindingKind.MISSING_HERE]
    assert [(f.payment_id, f.about) for f in missing] == [("W2", LineKind.WITHDRAWAL)]
    assert file.matched == 1
