"""In whatever order and however often a PSP tells a story, it ends the same; without a database."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import permutations
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.clock import new_id
from recon.ledger import Account
from recon.money import Money
from recon.payments import Direction, Payment, PaymentState
from recon.webhooks import Event, Kind
from recon.webhooks.batch import Batch

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Told:
    """One thing that the PSP says, ``at`` seconds into the story."""

    kind: str
    at: int
    amount: int = 2000
    effect_id: str | None = None
    event_type: str | None = None
    user: str | None = None


def end_of(
    story: list[Told], *, provider: str = "standard-webhooks", payment: Payment | None = None
) -> dict[tuple[str, str], int]:
    """The accounts that are not zero after these deliveries, taken one after the other."""
    batch = Batch([payment] if payment else [], [], {}, {})
    for number, told in enumerate(story):
        event = Event(
            endpoint="psp",
            provider=provider,
            event_id=f"evt_{number}",
            event_type=told.event_type or told.kind,
            kind=Kind(told.kind),
            payment_id="pay_1",
            effect_id=told.effect_id,
            reference="ref-1",
            user_id=told.user,
            amount=Money(told.amount, "GBP"),
            event_at=T0 + timedelta(seconds=told.at),
        )
        batch.take(new_id(), event)
    accounts: Counter[tuple[str, str]] = Counter()
    keys = Counter((entry.user_id, entry.source, entry.key) for _, entry in batch.entries)
    assert set(keys.values()) <= {1}, "a key stands twice"
    for _, entry in batch.entries:
        accounts[entry.user_id, entry.debit] -= entry.amount_minor
        accounts[entry.user_id, entry.credit] += entry.amount_minor
    return {place: total for place, total in accounts.items() if total}


DEPOSIT = [
    Told("deposit.pending", 0, user="u_7"),
    Told("deposit.succeeded", 1, user="u_7"),
    Told("deposit.refunded", 2, 500, "rf_1"),
    Told("deposit.refunded", 3, 500, "rf_2"),
    Told("deposit.refund_failed", 4, 500, "rf_2"),
    Told("deposit.charged_back", 5, 1500, "dsp_1"),
    Told("deposit.chargeback_reversed", 6, 1500, "dsp_1"),
]


@settings(max_examples=200, deadline=None)
@given(
    order=st.permutations(DEPOSIT),
    again=st.lists(st.sampled_from(DEPOSIT), max_size=5),
)
def test_a_deposit_and_all_that_befalls_it_ends_at_15(order: list[Told], again: list[Told]) -> None:
    assert end_of([*order, *again]) == {
        ("u_7", Account.AVAILABLE): 1500,
        ("u_7", Account.CLEARING): -1500,
    }


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_two_refunds_one_of_them_told_twice_and_once_without_its_id_are_two(
    order: tuple[int, ...],
) -> None:
    story = [
        Told("deposit.succeeded", 1, user="u_7"),
        Told("deposit.refunded", 2, 500),
        Told("deposit.refunded", 2, 500, "rf_1"),
        Told("deposit.refunded", 3, 500, "rf_2"),
    ]
    assert end_of([story[place] for place in order])["u_7", Account.AVAILABLE] == 1000


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_deposit_that_failed_after_all_ends_at_nothing(order: tuple[int, ...]) -> None:
    story = [
        Told("deposit.pending", 0, user="u_7"),
        Told("deposit.succeeded", 1, user="u_7"),
        Told("deposit.failed", 2, user="u_7"),
    ]
    assert end_of([story[place] for place in order]) == {}


@pytest.mark.parametrize("order", list(permutations(range(2))))
@pytest.mark.parametrize(
    ("provider", "failed", "ends_at"),
    [
        ("standard-webhooks", Told("deposit.failed", 0), 2000),
        ("stripe", Told("deposit.failed", 1, event_type="payment_intent.payment_failed"), 2000),
        ("adyen", Told("deposit.failed", 0, event_type="CAPTURE_FAILED"), 0),
    ],
)
def test_a_failure_undoes_a_success_by_the_provider_s_own_order(
    order: tuple[int, ...], provider: str, failed: Told, ends_at: int
) -> None:
    story = [Told("deposit.succeeded", 1, user="u_7"), failed]
    end = end_of([story[place] for place in order], provider=provider)

    assert end.get(("u_7", Account.AVAILABLE), 0) == ends_at


def withdrawal() -> Payment:
    return Payment(
        reference="ref-1",
        endpoint="psp",
        direction=Direction.WITHDRAWAL,
        user_id="u_7",
        amount=Money(2000, "GBP"),
        state=PaymentState.REGISTERED,
        payment_id=None,
        hold_id=new_id(),
        registered_at=T0,
        reported_at=None,
        updated_at=T0,
    )


@pytest.mark.parametrize("failure", ["withdrawal.failed", "withdrawal.returned"])
@pytest.mark.parametrize("effect_id", [None, "po_1"])
@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_a_payout_that_came_back_ends_with_the_reservation_given_back(
    order: tuple[int, ...], effect_id: str | None, failure: str
) -> None:
    story = [
        Told("withdrawal.accepted", 0, effect_id=effect_id),
        Told("withdrawal.paid", 1, effect_id=effect_id),
        Told("withdrawal.paid", 1, effect_id=effect_id),
        Told(failure, 2, effect_id=effect_id),
    ]
    end = end_of([story[place] for place in order], payment=withdrawal())

    assert end == {("u_7", Account.RESERVED): -2000, ("u_7", Account.AVAILABLE): 2000}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_unregistered_payout_that_came_back_ends_at_nothing(order: tuple[int, ...]) -> None:
    story = [
        Told("withdrawal.accepted", 0, user="u_7"),
        Told("withdrawal.paid", 1, user="u_7"),
        Told("withdrawal.returned", 2, user="u_7"),
    ]
    assert end_of([story[place] for place in order]) == {}


@settings(max_examples=200, deadline=None)
@given(
    story=st.lists(
        st.builds(
            Told,
            kind=st.sampled_from([str(kind) for kind in Kind]),
            at=st.integers(0, 5),
            amount=st.sampled_from([500, 2000]),
            effect_id=st.sampled_from([None, "a", "b"]),
            user=st.sampled_from([None, "u_7", "u_8"]),
        ),
        max_size=12,
    ),
    registered=st.booleans(),
)
def test_no_story_books_a_key_or_resolves_a_reservation_twice(
    story: list[Told], *, registered: bool
) -> None:
    end = end_of(story, payment=withdrawal() if registered else None)

    assert end.get(("u_7", Account.RESERVED), 0) in {0, -2000}


def test_of_two_payments_that_tell_one_charge_the_first_has_what_names_the_charge_alone() -> None:
    # Whatever they are called: names have other hashes in every process.
    for number in range(20):
        charge = f"ch_{number}"
        batch = Batch([], [], {}, {})
        for place, payment_id in enumerate(("pi_1", "pi_2", charge)):
            event = Event(
                endpoint="stripe",
                provider="stripe",
                event_id=f"evt_{place}",
                event_type="refund.created",
                kind=Kind.DEPOSIT_REFUNDED,
                payment_id=payment_id,
                effect_id=f"re_{place}",
                user_id="u_7",
                amount=Money(500, "GBP"),
                event_at=T0,
                also_known_as=charge,
            )
            batch.take(UUID(int=place), event)

        assert [movement.payment_id for movement in batch.moved] == ["pi_1", "pi_2", "pi_1"]
