"""How amounts, times and charts are written; pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recon.web.charts import columns, permille
from recon.web.formatting import amount, clock, instant, sign_class, signed, span, told

_NOON = datetime(2026, 3, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minor", "currency", "plain", "with_sign"),
    [
        (123456789, "GBP", "1,234,567.89", "+1,234,567.89"),
        (-5, "GBP", "\N{MINUS SIGN}0.05", "\N{MINUS SIGN}0.05"),
        (0, "GBP", "0.00", "0.00"),
        (1500, "JPY", "1,500", "+1,500"),
        (10**18 + 1, "ETH", "1.000000000000000001", "+1.000000000000000001"),
    ],
)
def test_an_amount_keeps_every_place_and_its_sign(
    minor: int, currency: str, plain: str, with_sign: str
) -> None:
    assert amount(minor, currency) == plain
    assert signed(minor, currency) == with_sign
    assert sign_class(minor) == {True: "plus", False: "minus"}[minor > 0] if minor else "zero"


@pytest.mark.parametrize(
    ("length", "said"),
    [
        (timedelta(seconds=-1), "0 s"),
        (timedelta(seconds=8.24), "8.2 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=12, seconds=59), "12 min"),
        (timedelta(hours=3), "3 h"),
        (timedelta(hours=47, minutes=59), "47 h 59 min"),
        (timedelta(days=3, hours=4), "3 d 4 h"),
    ],
)
def test_a_span_is_said_in_its_two_largest_units(length: timedelta, said: str) -> None:
    assert span(length) == said


def test_a_time_is_as_short_as_it_can_be_without_being_another() -> None:
    assert clock(_NOON - timedelta(hours=3), _NOON) == "09:00:00"
    assert clock(_NOON - timedelta(hours=13), _NOON) == "3 Mar 23:00"
    assert clock(_NOON - timedelta(days=90), _NOON) == "4 Dec 2025"
    assert instant(_NOON) == "4 Mar 2026 12:00:00 UTC"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("1 payout to -40.00: -1.00 is left", "1 payout to \u221240.00: \u22121.00 is left"),
        ("it is out (-5)", "it is out (\u22125)"),
        ("bet.payout of 11.50 GBP is booked here", "bet payout of 11.50 GBP is booked here"),
        ("1 bets whose outcome is not booked", "1 bet whose outcome is not booked"),
        ("1 deliveries that could not be booked", "1 delivery that could not be booked"),
        ("1 registered payments of 21 bets", "1 registered payment of 21 bets"),
        ("11 bets, 41 postings", "11 bets, 41 postings"),
        # What is no sum, and what a PSP calls its own event, is as it was.
        ("order-7 of -x, -2026-01-31, 5-7", "order-7 of -x, -2026-01-31, 5-7"),
        ("deposit.succeeded from adyen_eu says 5.00", "deposit.succeeded from adyen_eu says 5.00"),
    ],
)
def test_what_the_service_wrote_of_money_is_read_as_everything_on_the_pages(
    written: str, read: str
) -> None:
    assert told(written) == read


def test_columns_stack_to_the_height_of_the_tallest_and_show_the_smallest() -> None:
    whole, small, none = columns([(100, 50), (1, 0), (0, 0)])

    assert (whole.lower_height, whole.upper_height) == (78, 39)
    assert whole.upper_y + whole.upper_height == whole.lower_y
    assert (small.lower_height, small.upper_height) == (2, 0)
    assert (none.lower_height, none.upper_height) == (0, 0)
    assert all(column.upper_y >= 0 for column in columns([(10**30, 1), (1, 10**30)]))


def test_a_share_is_seen_however_small() -> None:
    assert [permille(0, 9), permille(1, 10_000), permille(9, 9), permille(0, 0)] == [0, 8, 1000, 0]
