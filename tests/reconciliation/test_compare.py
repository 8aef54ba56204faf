"""What the ledger expects the game to say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.reconciliation.compare import Comparison, GameSays, Snapshot, Verdict, compare

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def ledger(
    available: int = 0, held: int = 0, *, unreported: int = 0, accepted: tuple[int, ...] = ()
) -> Snapshot:
    return Snapshot(
        user_id="u_7",
        currency="GBP",
        available=available,
        held=held,
        reserved=unreported + sum(accepted),
        version=3,
        unreported=unreported,
        accepted=accepted,
        unsettled=0,
    )


def game(available: int = 0, held: int = 0) -> GameSays:
    return GameSays(available, held, NOON)


def seen(snapshot: Snapshot, says: GameSays, *, tolerance: int = 0) -> tuple[Verdict, int]:
    look = compare(snapshot, says, tolerance=tolerance)
    return look.verdict, look.difference


def test_equal_balances_agree() -> None:
    assert seen(ledger(20_00, 5_00), game(20_00, 5_00)) == (Verdict.AGREES, 0)


def test_the_difference_is_game_minus_ledger() -> None:
    assert seen(ledger(20_00), game(35_00)) == (Verdict.DIFFERS, 15_00)
    assert seen(ledger(35_00), game(20_00)) == (Verdict.DIFFERS, -15_00)


def test_a_difference_of_held_money_alone_is_shown() -> None:
    assert seen(ledger(20_00, 5_00), game(20_00, 0)) == (Verdict.DIFFERS, -5_00)


def test_money_that_moved_from_available_to_held_on_one_side_differs_in_both() -> None:
    look = compare(ledger(15_00, 5_00), game(20_00, 0), tolerance=0)

    assert (look.available_difference, look.held_difference) == (5_00, -5_00)
    assert look.difference == 5_00


def test_a_withdrawal_that_no_psp_has_spoken_of_is_still_at_the_game() -> None:
    reserved = ledger(70_00, unreported=30_00)

    assert seen(reserved, game(100_00)) == (Verdict.AGREES, 0)
    assert seen(reserved, game(70_00)) == (Verdict.DIFFERS, -30_00)


def test_an_accepted_withdrawal_may_have_left_the_game_or_not() -> None:
    accepted = ledger(70_00, accepted=(30_00,))

    assert seen(accepted, game(100_00)) == (Verdict.AGREES, 0)
    assert seen(accepted, game(70_00)) == (Verdict.AGREES, 0)
    assert seen(accepted, game(84_00)) == (Verdict.DIFFERS, 14_00)
    assert compare(accepted, game(84_00), tolerance=0).readings == (14_00, -16_00)


def test_each_of_several_accepted_withdrawals_may_have_left() -> None:
    accepted = ledger(40_00, accepted=(20_00, 30_00))

    for shown in (40_00, 60_00, 70_00, 90_00):
        assert seen(accepted, game(shown)) == (Verdict.AGREES, 0)
    look = compare(accepted, game(91_00), tolerance=0)
    assert look.readings == (51_00, 31_00, 21_00, 1_00)
    assert look.difference == 51_00


def test_of_many_accepted_withdrawals_the_eight_newest_may_still_be_there() -> None:
    nine = ledger(0, accepted=(*(1_00,) * 8, 70_00))  # the newest first

    for shown in (0, 3_00, 8_00):
        assert seen(nine, game(shown)) == (Verdict.AGREES, 0)
    assert seen(nine, game(70_00)) == (Verdict.DIFFERS, 70_00)


def test_a_look_says_whether_the_game_has_taken_every_accepted_withdrawal() -> None:
    accepted = ledger(70_00, accepted=(30_00,))

    assert compare(accepted, game(70_00), tolerance=0).all_taken
    assert not compare(accepted, game(100_00), tolerance=0).all_taken
    assert not compare(accepted, game(84_00), tolerance=0).all_taken


def test_unreported_and_accepted_withdrawals_count_each_by_its_own_rule() -> None:
    both = ledger(50_00, unreported=10_00, accepted=(5_00,))

    assert seen(both, game(65_00)) == (Verdict.AGREES, 0)
    assert seen(both, game(60_00)) == (Verdict.AGREES, 0)
    assert seen(both, game(50_00)) == (Verdict.DIFFERS, -10_00)


@pytest.mark.parametrize("difference", [-5, -1, 1, 5])
def test_what_the_tolerance_covers_agrees(difference: int) -> None:
    assert seen(ledger(100), game(100 + difference), tolerance=5)[0] is Verdict.AGREES
    assert seen(ledger(100), game(100 + difference), tolerance=0)[0] is Verdict.DIFFERS


def test_one_penny_beyond_the_tolerance_is_shown_whole() -> None:
    assert seen(ledger(100), game(106), tolerance=5) == (Verdict.DIFFERS, 6)


def test_a_tolerated_difference_does_not_stand_before_the_one_that_counts() -> None:
    # Available is off by a tolerated penny; the ten pounds of held money are what is wrong.
    assert seen(ledger(100_00, 10_00), game(100_01, 0), tolerance=5) == (Verdict.DIFFERS, -10_00)


balances = st.integers(-(10**12), 10**12)
accepted_amounts = st.lists(st.integers(1, 10**6), max_size=8).map(tuple)


@given(balances, accepted_amounts, st.data())
def test_any_part_of_the_accepted_withdrawals_may_be_gone(
    available: int, accepted: tuple[int, ...], data: st.DataObject
) -> None:
    still_there = data.draw(st.lists(st.sampled_from([0, 1]), min_size=len(accepted)))
    shown = available + sum(a for a, there in zip(accepted, still_there, strict=False) if there)

    assert seen(ledger(available, accepted=accepted), game(shown)) == (Verdict.AGREES, 0)


@given(balances, balances, accepted_amounts)
def test_the_smallest_reading_counts_and_stays_an_equation(
    here: int, there: int, accepted: tuple[int, ...]
) -> None:
    look: Comparison = compare(ledger(here, accepted=accepted), game(there), tolerance=0)

    assert abs(look.difference) <= abs(there - here)
    assert 0 <= there - here - look.difference <= sum(accepted)
