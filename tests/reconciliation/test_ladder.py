"""When a suspect is looked at again, and when its difference has stood long enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from recon.reconciliation.ladder import gave_up, has_stood, next_look

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
GRACE = timedelta(minutes=2)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def test_a_suspect_is_looked_at_half_way_and_when_the_grace_period_is_over() -> None:
    assert next_look(at(0), NOON, GRACE) == at(60)
    assert next_look(at(60), NOON, GRACE) == at(120)


def test_beyond_the_ladder_it_is_looked_at_every_quarter_of_the_grace_period() -> None:
    assert next_look(at(120), NOON, GRACE) == at(150)
    assert next_look(at(500), NOON, GRACE) == at(530)


def test_a_difference_stands_once_the_whole_grace_period_is_over() -> None:
    assert not has_stood(at(119.9), NOON, GRACE)
    assert has_stood(at(120), NOON, GRACE)


def test_another_difference_starts_the_ladder_anew() -> None:
    changed_at = at(110)

    assert not has_stood(at(120), changed_at, GRACE)
    assert next_look(at(110), changed_at, GRACE) == at(170)


def test_a_wallet_that_never_rests_is_given_up_after_six_grace_periods() -> None:
    assert not gave_up(at(719), NOON, GRACE)
    assert gave_up(at(720), NOON, GRACE)


seconds = st.floats(0, 10_000, allow_nan=False)
graces = st.integers(1, 3600).map(lambda s: timedelta(seconds=s))


@given(seconds, seconds, graces)
def test_the_next_look_is_always_to_come_and_soon(
    since_s: float, later_s: float, grace: timedelta
) -> None:
    since, now = at(since_s), at(since_s + later_s)

    wait = next_look(now, since, grace) - now

    assert timedelta(0) < wait <= grace / 2


@given(graces)
def test_a_standing_difference_is_confirmed_at_its_third_look(grace: timedelta) -> None:
    looks = [NOON]
    while not has_stood(looks[-1], NOON, grace):
        looks.append(next_look(looks[-1], NOON, grace))

    assert len(looks) == 3
    assert looks[-1] == NOON + grace
