"""Stripe's itemised reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recon.settlements import FindingKind, FormatError, LineKind
from recon.webhooks import Kind
from tests.settlements.conftest import adyen_file, adyen_line, stripe_file, stripe_line

if TYPE_CHECKING:
    from tests.settlements.conftest import Office


async def test_charges_refunds_disputes_and_a_players_payout_agree(office: Office) -> None:
    for number in (1, 2):
        await office.deposit(f"pi_{number}", endpoint="stripe", also_known_as=f"ch_{number}")
    await office.report(
        Kind.DEPOSIT_REFUNDED, "pi_1", endpoint="stripe", effect_id="re_1", amount="5.00"
    )
    await office.report(
        Kind.DEPOSIT_CHARGED_BACK, "pi_2", endpoint="stripe", effect_id="dp_1", amount="20.00"
    )
    await office.register("order-po_9", endpoint="stripe", direction="withdrawal", amount="7.00")
    await office.report(Kind.WITHDRAWAL_PAID, "po_9", endpoint="stripe", amount="7.00")

    file = await office.file(
        stripe_file(
            stripe_line("charge", 1),
            # A report without the payment intents: the charge is known by its other name.
            stripe_line("charge", 2, payment_intent_id="", charge_id="ch_2"),
            stripe_line("refund", 1, gross="-5.00", fee="0.00", net="-5.00", source_id="re_1"),
            stripe_line("dispute", 2, gross="-20.00", fee="15.00", net="-35.00", source_id="dp_1"),
            stripe_line(
                "payout",
                9,
                gross="-7.00",
                fee="0.00",
                net="-7.00",
                source_id="po_9",
                payment_intent_id="",
                automatic_payout_id="",
            ),
            stripe_line("fee", 5, gross="-1.00", fee="0.00", net="-1.00", payment_intent_id=""),
        ),
        "stripe",
    )

    assert (file.matched, await office.findings(file)) == (5, [])
    assert {t.kind: t.gross for t in file.totals if t.currency} == {
        LineKind.DEPOSIT: 4000,
        LineKind.REFUND: 500,
        LineKind.CHARGEBACK: 2000,
        LineKind.WITHDRAWAL: 700,
    }


async def test_a_payout_is_proven_over_all_the_files_that_tell_of_it(office: Office) -> None:
    await office.deposit("pi_1", endpoint="stripe")
    await office.deposit("pi_2", endpoint="stripe")
    first, second = stripe_line("charge", 1), stripe_line("charge", 2)
    payout = stripe_line("payout", 7, gross="-39.00", fee="0.00", net="-39.00", source_id="po_auto")

    told = await office.file(stripe_file(first), "stripe")
    # It is paid with a line that no file has yet: 19.50 + ? = 39.00.
    short = await office.file(stripe_file(first, payout), "stripe")
    whole = await office.file(stripe_file(second), "stripe")

    assert told.open_findings == 0, "without a payout nothing is proven, and nobody accused"
    (found,) = await office.findings(short)
    assert (found.kind, str(found.settled)) == (FindingKind.PAYOUT_MISMATCH, "-19.50")
    assert (found.state, found.resolution) == ("resolved", "told of anew by report.csv")
    (batch,) = await office.batches(whole)
    assert (batch.lines, str(batch.net), str(batch.paid)) == (3, "39.00", "-39.00")
    assert batch.difference.minor == 0
    assert await office.cases() == []


async def test_amounts_have_the_places_of_their_currency(office: Office) -> None:
    await office.deposit("pi_1", "2000", currency="JPY", endpoint="stripe")
    await office.deposit("pi_2", "2.005", currency="KWD", endpoint="stripe")

    file = await office.file(
        stripe_file(
            stripe_line("charge", 1, currency="jpy", gross="2000", fee="50", net="1950.00"),
            stripe_line("charge", 2, currency="kwd", gross="2.005", fee="0.005", net="2.0"),
            stripe_line("charge", 3, currency="jpy", gross="2000.5", fee="0", net="2000"),
            stripe_line("charge", 4, currency="gbp", gross="20.001", fee="0", net="20"),
            stripe_line("charge", 5, currency="xyz"),
            stripe_line("charge", 6, gross="1e3"),
            stripe_line("charge", 7, net="1,000.00"),
        ),
        "stripe",
    )

    assert file.matched == 2
    assert {(f.line_no, f.detail) for f in await office.findings(file)} == {
        (4, "its amount is no amount of JPY"),
        (5, "its amount is no amount of GBP"),
        (6, "its currency is not known"),
        (7, "its amount is no amount of GBP"),
        (8, "its net amount is no amount of GBP"),
    }


async def test_what_settles_in_another_currency_is_compared_as_it_was_charged(
    office: Office,
) -> None:
    await office.deposit("pi_1", "20.00", currency="EUR", endpoint="stripe")

    file = await office.file(
        stripe_file(
            stripe_line(
                gross="17.40",
                net="16.90",
                customer_facing_currency="eur",
                customer_facing_amount="20.00",
            )
        ),
        "stripe",
    )

    (total,) = file.totals
    assert (file.matched, total.currency, total.gross) == (1, "EUR", 2000)
    assert (total.net_currency, total.net, total.fee) == ("GBP", 1690, 50)


async def test_a_report_of_another_provider_is_refused_by_name(office: Office) -> None:
    with pytest.raises(FormatError, match="a report of adyen, and the endpoint is one of stripe"):
        await office.file(adyen_file(adyen_line("Settled", "P1")), "stripe")
    with pytest.raises(FormatError, match=r"for stripe's report it lacks fee; for a plain file"):
        await office.file(stripe_file(stripe_line()).replace(b",fee,", b",charges,"), "stripe")
