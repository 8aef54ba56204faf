"""Several files of one account: of which times they speak, and of what."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from recon.clock import now
from recon.settlements import Explained, FindingKind, FindingState, resolve_explained
from recon.webhooks import Kind
from recon.webhooks.close_case import close_case
from tests.settlements.conftest import (
    T0,
    adyen_file,
    adyen_line,
    stripe_file,
    stripe_line,
    table,
)

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.settlements import SettlementFile
    from tests.settlements.conftest import Office

DAY = timedelta(days=1)
PLAIN = ["payment_id", "amount", "currency", "settled_at", "kind", "effect_id", "line_id", "fee"]


def plain(payment: str, day: float, kind: str = "deposit", **more: str) -> dict[str, str]:
    at = f"{T0 + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"
    return {
        "payment_id": payment,
        "amount": "20.00",
        "currency": "GBP",
        "settled_at": at,
        "kind": kind,
        **more,
    }


async def missing_there(office: Office, file: SettlementFile) -> list[str | None]:
    found = await office.findings(file)
    return [f.payment_id for f in found if f.kind is FindingKind.MISSING_THERE]


async def test_a_report_of_payouts_alone_accuses_no_deposit(office: Office) -> None:
    for day in range(12):
        await office.deposit(f"pi_{day}", endpoint="stripe", at=T0 + day * DAY)
    payouts = [
        stripe_line(
            # One report writes money that goes out as below zero, another does not.
            "payout", day, gross=f"{'-' * (day % 2)}7.00", fee="0", net=f"{'-' * (day % 2)}7.00",
            source_id=f"po_{day}",
            payment_intent_id="", at=T0 + day * DAY,
        )
        for day in range(12)
    ]  # fmt: skip

    file = await office.file(stripe_file(*payouts), "stripe")

    assert await office.findings(file) == []
    assert [(total.lines, total.net) for total in file.totals] == [(12, -12 * 700)]


async def test_a_file_of_refunds_alone_accuses_no_deposit_and_a_later_one_of_deposits_does(
    office: Office,
) -> None:
    for day in (1, 2, 9):
        await office.deposit(f"p{day}", endpoint="standard", at=T0 + day * DAY)
    for day in (1, 8):
        await office.report(
            Kind.DEPOSIT_REFUNDED, "p1", endpoint="standard", effect_id=f"r{day}", amount="1.00",
            at=T0 + day * DAY,
        )  # fmt: skip
    refunds = [plain("p1", day, "refund", effect_id=f"r{day}", amount="1.00") for day in (1, 8)]

    told = await office.file(table(PLAIN, refunds), "standard")
    deposits = await office.file(table(PLAIN, [plain("p1", 0.5), plain("p9", 9)]), "standard")

    assert await missing_there(office, told) == []
    assert await missing_there(office, deposits) == ["p2"]


async def test_a_shorter_grace_is_made_up_for_what_a_longer_one_left_out(office: Office) -> None:
    for day in range(12):
        await office.deposit(f"P{day}", at=T0 + day * DAY)
    first = adyen_file(*(adyen_line("Settled", f"P{n}", at=T0 + n * DAY) for n in (0, 10)))
    second = adyen_file(adyen_line("Settled", "P11", at=T0 + 11 * DAY))

    told = await office.file(first, grace=6 * DAY)
    more = await office.file(second, grace=2 * DAY)

    assert await missing_there(office, told) == ["P1", "P2", "P3", "P4"]
    assert await missing_there(office, more) == ["P5", "P6", "P7", "P8", "P9"]


async def test_what_somebody_dismissed_is_not_found_again_under_a_longer_grace(
    office: Office, pool: Pool
) -> None:
    for day in range(12):
        await office.deposit(f"P{day}", at=T0 + day * DAY)
    first = adyen_file(*(adyen_line("Settled", f"P{n}", at=T0 + n * DAY) for n in (0, 10)))
    told = await office.file(first, grace=2 * DAY)
    assert "P1" in await missing_there(office, told)
    for case in await office.cases():
        await close_case(pool, case.case_id, "paid by hand", actor="ada")

    gap = adyen_line("Settled", "P11", at=T0 + 11.5 * DAY)
    again = await office.file(adyen_file(gap), grace=9 * DAY)

    assert await missing_there(office, again) == []


async def test_a_line_of_the_future_is_refused_and_judges_nothing(office: Office) -> None:
    await office.deposit("P1")
    await office.deposit("NEW", at=now() - timedelta(hours=1))

    file = await office.file(
        adyen_file(
            adyen_line("Settled", "P1"),
            adyen_line("Settled", "P2", at=now() + 400 * DAY),
            adyen_line("Settled", "P3", creation_date="infinity"),
            adyen_line("Settled", "P4", creation_date="0001-01-01 00:00:00"),
            adyen_line("Settled", "P5", creation_date="2025-03-01 12:00:00 Europe/Berlin"),
        )
    )

    found = {f.line_no: (f.kind, f.detail) for f in await office.findings(file) if f.line_no}
    late = "its time is not between the year 2000 and two weeks from now"
    assert found == {
        3: (FindingKind.REJECTED_LINE, late),
        4: (FindingKind.REJECTED_LINE, "its time cannot be read"),
        5: (FindingKind.REJECTED_LINE, late),
        6: (FindingKind.REJECTED_LINE, "its time cannot be read"),
    }
    assert (file.matched, file.period_to) == (1, T0)
    assert await missing_there(office, file) == []


async def test_one_line_of_years_ago_makes_no_period_of_years(office: Office) -> None:
    await office.deposit("OLD", at=T0 - 700 * DAY)
    await office.deposit("P1")

    file = await office.file(
        adyen_file(adyen_line("Settled", "TYPO", at=T0 - 1400 * DAY), adyen_line("Settled", "P1"))
    )

    assert await missing_there(office, file) == []


async def test_a_payment_settled_again_months_later_is_an_amount_too_much(office: Office) -> None:
    await office.deposit("P1")
    await office.file(adyen_file(adyen_line("Settled", "P1")))

    again = await office.file(
        adyen_file(
            adyen_line(
                "Settled", "P1", at=T0 + 90 * DAY, batch_number="50", modification_reference="x"
            )
        )
    )

    found = [f for f in await office.findings(again) if f.kind is not FindingKind.PAYOUT_MISMATCH]
    assert [(f.kind, str(f.settled), str(f.booked)) for f in found] == [
        (FindingKind.AMOUNT_MISMATCH, "40.00", "20.00")
    ]


async def test_a_capture_that_was_missing_is_explained_by_its_own_webhook(
    office: Office, pool: Pool
) -> None:
    await office.report(Kind.DEPOSIT_SUCCEEDED, "P1", effect_id="C1", amount="10.00")
    file = await office.file(
        adyen_file(
            adyen_line("Settled", "P1", gross="10.00", net="10.00", modification_reference="C1"),
            adyen_line("Settled", "P1", gross="7.00", net="7.00", modification_reference="C2"),
        )
    )
    (found,) = [f for f in await office.findings(file) if f.kind is FindingKind.MISSING_HERE]
    assert (found.effect_id, str(found.settled)) == ("C2", "7.00")

    await office.report(Kind.DEPOSIT_SUCCEEDED, "P1", effect_id="C2", amount="7.00")

    assert await resolve_explained(pool) == 1
    assert await office.facts() == []


async def test_what_was_in_no_file_and_failed_after_all_is_explained(
    office: Office, pool: Pool
) -> None:
    for day in range(8):
        await office.deposit(f"P{day}", at=T0 + day * DAY)
    lines = [adyen_line("Settled", f"P{n}", at=T0 + n * DAY) for n in (0, 1, 3, 4, 5, 6, 7)]
    await office.file(adyen_file(*lines))
    assert [(f.kind, f.payment_id) for f in await office.facts()] == [("missing_there", "P2")]

    await office.report(Kind.DEPOSIT_FAILED, "P2", at=T0 + 9 * DAY)

    assert await resolve_explained(pool) == 1
    assert await office.facts() == []


async def test_a_payout_that_turns_out_a_players_is_in_the_file_that_told_of_it(
    office: Office,
) -> None:
    def paid(number: int, day: float) -> dict[str, str]:
        return stripe_line(
            "payout", number, gross="-7.00", fee="0", net="-7.00", source_id=f"po_{number}",
            payment_intent_id="", automatic_payout_id="", at=T0 + day * DAY,
        )  # fmt: skip

    await office.deposit("pi_0", "90.00", endpoint="stripe", at=T0 - 30 * DAY)
    first = await office.file(stripe_file(paid(1, 0), paid(2, 5)), "stripe")
    assert await office.findings(first) == [], "a payout to ourselves, as far as anybody knows"
    for number, day in ((1, 1), (2, 5), (3, 10), (4, 0.5)):
        await office.register(
            f"order-po_{number}", endpoint="stripe", direction="withdrawal", amount="7.00"
        )
        await office.report(
            Kind.WITHDRAWAL_PAID, f"po_{number}", endpoint="stripe", amount="7.00",
            at=T0 + day * DAY,
        )  # fmt: skip

    second = await office.file(stripe_file(paid(4, 0.5), paid(3, 10)), "stripe", grace=6 * DAY)

    assert await office.findings(second) == []


async def test_times_in_a_column_of_utc_are_utc_whatever_the_zone_of_the_others(
    office: Office,
) -> None:
    file = await office.file(stripe_file(stripe_line()), "stripe", timezone="Asia/Tokyo")

    assert file.period_from == T0


async def test_fees_that_differ_in_their_words_alone_are_two(office: Office) -> None:
    fee = adyen_line("Fee", gross="", net="1.80", modification_reference="Transaction Fees")
    other = fee | {"Modification Reference": "Chargeback Fees"}

    file = await office.file(adyen_file(adyen_line("Settled", "P1"), fee, other))

    assert (file.duplicate_lines, file.new_lines) == (0, 3)


async def test_a_line_that_says_otherwise_under_its_id_is_told(office: Office) -> None:
    await office.deposit("p1", endpoint="standard")
    first = [plain("p1", 0, line_id="l1"), plain("p1", 0, line_id="l1", amount="21.00")]
    later = [plain("p1", 0, line_id="l1", amount="19.00"), plain("p1", 1, "fee", line_id="l2")]

    one = await office.file(table(PLAIN, first), "standard")
    two = await office.file(table(PLAIN, later), "standard")

    assert [(f.kind, f.line_no, f.detail) for f in await office.findings(one)] == [
        (
            FindingKind.DUPLICATE_LINE,
            3,
            "line 2 has the same id and says otherwise; this one is not counted",
        )
    ]
    assert [(f.kind, f.line_no, f.detail) for f in await office.findings(two)] == [
        (
            FindingKind.DUPLICATE_LINE,
            2,
            "an earlier file has this line with 20.00 GBP; this one is not counted",
        )
    ]
    assert (two.repeated_lines, two.new_lines) == (1, 1)


async def test_open_findings_are_looked_at_in_turn(office: Office, pool: Pool) -> None:
    file = await office.file(adyen_file(*(adyen_line("Settled", f"P{n}") for n in range(5))))
    for number in (1, 4):
        await office.deposit(f"P{number}")
    in_turn = Explained(at_most=2)

    assert [await in_turn.resolve(pool) for _ in range(4)] == [1, 0, 1, 0]
    left = [f.payment_id for f in await office.findings(file, FindingState.OPEN)]
    assert left == ["P0", "P2", "P3", "TestMerchant/7"]
