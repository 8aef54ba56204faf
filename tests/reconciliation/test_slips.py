"""One payment, two amounts: a known slip is named, anything else is said for what it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recon.money import parse_minor
from recon.reconciliation import Cause, Evidence
from recon.reconciliation.explain import Candidate, Explanation, explain
from recon.reconciliation.odds import Standing
from recon.reconciliation.slips import Booked

NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


def booked(*amounts: str, currency: str = "GBP", agreed: bool = True) -> list[Booked]:
    """Payments since both sides agreed."""
    return [
        Booked(
            Evidence(
                "posting",
                f"v{number}",
                0,
                NEW_YEAR + timedelta(minutes=number),
                f"{amount} {currency} is booked here; ",
                Cause.AMOUNT_MISMATCH,
                "stripe",
            ),
            parse_minor(amount, currency),
            currency,
            f"stripe p{number} deposit",
            agreed_before=agreed,
        )
        for number, amount in enumerate(amounts)
    ]


def explained(there: str, *here: str, currency: str = "GBP", agreed: bool = True) -> Explanation:
    """The first payment is there as another amount than it is booked with; each may be lost too."""
    payments = booked(*here, currency=currency, agreed=agreed)
    candidates = [
        Candidate(
            Evidence("posting", one.posting.id, sign * one.change, one.posting.at, "", cause),
            Standing.SUGGESTED,
            money=one.money,
        )
        for one in payments
        for sign, cause in ((-1, Cause.MISSING_GAME_UPDATE), (1, Cause.DUPLICATE))
    ]
    difference = parse_minor(there, currency) - payments[0].change
    return explain(difference, candidates, payments)


@pytest.mark.parametrize(
    ("currency", "here", "there", "how"),
    [
        ("GBP", "20.00", "2.00", "with the decimal point 1 place off"),
        ("GBP", "20.00", "200.00", "with the decimal point 1 place off"),
        (
            "GBP",
            "20.00",
            "2000.00",
            "with the decimal point 2 places off, as where minor units are taken for whole ones",
        ),
        (
            "JPY",
            "4500",
            "450000",
            "with the decimal point 2 places off",
        ),
        ("ETH", "0.3", "3.000000000000000000", "with the decimal point 1 place off"),
        (
            "KWD",
            "12.345",
            "12345.000",
            "with the decimal point 3 places off, as where minor units are taken for whole ones",
        ),
        ("GBP", "12.34", "13.24", "with two digits in each other's place"),
        ("GBP", "50.12", "5.12", "with two digits in each other's place"),
        ("GBP", "20.75", "20.00", "rounded to whole units"),
        ("GBP", "20.75", "21.00", "rounded to whole units"),
        ("GBP", "20.00", "-20.00", "taken the wrong way round"),
        ("GBP", "-35.00", "-350.00", "with the decimal point 1 place off"),
        ("GBP", "80.00", "77.68", "2.90 % less, as if a fee had been kept"),
    ],
)
def test_a_slip_names_the_payment_and_what_it_was_taken_for(
    currency: str, here: str, there: str, how: str
) -> None:
    found = explained(there, here, "3.11" if currency != "JPY" else "311", currency=currency)

    (fact,) = found.evidence
    assert (found.cause, found.unexplained, fact.id) == (Cause.AMOUNT_MISMATCH, 0, "v0")
    assert fact.summary.endswith(f"the game would have taken it as {there} {currency}, {how}")
    assert found.confidence >= 75


def test_what_is_lost_or_doubled_is_not_taken_for_a_slip() -> None:
    lost, doubled = explained("0.00", "20.00", "3.11"), explained("40.00", "20.00", "3.11")

    assert (lost.cause, doubled.cause) == (Cause.MISSING_GAME_UPDATE, Cause.DUPLICATE)
    assert lost.confidence > 95
    assert doubled.confidence > 95


def test_an_amount_like_nothing_is_laid_to_the_only_payment_without_much_confidence() -> None:
    found = explained("13.57", "20.00")

    (fact,) = found.evidence
    assert (found.cause, found.unexplained) == (Cause.AMOUNT_MISMATCH, 0)
    assert fact.summary.endswith("taken it as 13.57 GBP, which is like no slip that we know")
    assert 50 <= found.confidence <= 70


def test_an_amount_like_nothing_of_one_of_two_payments_is_said_of_both_and_not_believed() -> None:
    found = explained("13.57", "20.00", "33.00")

    assert (found.cause, found.evidence, found.confidence) == (Cause.UNEXPLAINED, [], 0)
    said = {(one.evidence[0].id, one.evidence[0].cause) for one in found.alternatives}
    assert said == {("v0", Cause.AMOUNT_MISMATCH), ("v1", Cause.AMOUNT_MISMATCH)}
    assert all(20 <= one.confidence < 50 for one in found.alternatives)
    assert found.notes == ["either of: posting v1; posting v0"]


def test_an_amount_like_nothing_is_not_believed_where_both_sides_never_agreed() -> None:
    found = explained("13.57", "20.00", agreed=False)

    assert (found.cause, found.alternatives) == (Cause.UNEXPLAINED, [])


def test_a_cent_is_no_fee() -> None:
    assert explained("19.99", "20.00", agreed=False).cause is Cause.UNEXPLAINED


def test_a_slip_stands_beside_what_is_known_to_be_open() -> None:
    payments = booked("20.00", "3.11")
    quarantined = Candidate(
        Evidence("delivery", "d1", 50_00, NEW_YEAR, "", Cause.MISSING_WEBHOOK), Standing.KNOWN
    )

    found = explain(50_00 - 18_00, [quarantined], payments)

    assert sorted((one.kind, one.amount) for one in found.evidence) == [
        ("delivery", 50_00),
        ("posting", -18_00),
    ]
    assert (found.unexplained, found.cause) == (0, Cause.MISSING_WEBHOOK)


def test_what_is_registered_comes_before_a_slip_that_fits_as_well() -> None:
    payments = booked("20.00", "3.11")
    registered = Candidate(
        Evidence("payment", "ref-1", 180_00, NEW_YEAR, "", Cause.MISSING_WEBHOOK), Standing.OPEN
    )

    found = explain(180_00, [registered], payments)

    assert (found.cause, found.unexplained) == (Cause.MISSING_WEBHOOK, 0)
    assert [one.evidence[0].cause for one in found.alternatives] in ([], [Cause.AMOUNT_MISMATCH])


@pytest.mark.parametrize("digits", [1, 37])
def test_slips_are_exact_to_the_last_of_38_digits(digits: int) -> None:
    here = 3 * 10**digits
    one = Booked(
        Evidence("posting", "v0", 0, NEW_YEAR, "", Cause.AMOUNT_MISMATCH),
        here,
        "ETH",
        "stripe p0 deposit",
        agreed_before=False,
    )

    exact, beside = explain(-9 * here // 10, [], [one]), explain(-9 * here // 10 - 1, [], [one])

    assert (exact.unexplained, len(exact.evidence)) == (0, 1)
    assert beside.cause is Cause.UNEXPLAINED
