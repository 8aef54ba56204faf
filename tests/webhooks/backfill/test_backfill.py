"""What no webhook has brought is found in Stripe's own list, and booked once."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from recon.clock import new_id, now
from recon.webhooks import Endpoint, unbooked_deliveries_of
from recon.webhooks.backfill import (
    ApiAccount,
    BackfillBusyError,
    ListingUnavailableError,
    backfill_due,
    missed_events,
    open_event_list,
    read_progress,
)
from recon.webhooks.psp.stripe import EVENT_TYPES
from tests.webhooks.backfill.conftest import KEY, run
from tests.webhooks.conftest import payment_intent, payout, refund, stripe_headers

if TYPE_CHECKING:
    from tests.webhooks.backfill.conftest import Stripe
    from tests.webhooks.conftest import Door


async def webhook(door: Door, event: dict[str, Any], **changed: object) -> str:
    """Send an event as its webhook would be: other white space, nothing pending any more."""
    body = json.dumps({**event, "pending_webhooks": 0, **changed}, indent=2).encode()
    response = await door.post("stripe", body, stripe_headers(body))
    assert response.status == 200, await response.text()
    return str((await response.json())["state"])


async def repeats(door: Door) -> list[bool]:
    rows = await door.pool.fetch("SELECT same_bytes FROM delivery_repeats ORDER BY repeat_id")
    return [row["same_bytes"] for row in rows]


async def test_a_missed_deposit_is_booked_and_marked(door: Door, stripe: Stripe) -> None:
    event = stripe.paid()
    done = await run(door.pool, stripe.account())

    assert (done.listed, done.taken, done.outcomes) == (1, 1, {"booked": 1})
    assert await door.available() == "20.00"
    kept = await door.stored(await door.last())
    assert kept.backfilled
    assert kept.verified_by == stripe.account().verified_by
    assert KEY not in kept.verified_by
    assert kept.body is not None
    assert json.loads(kept.body) == event
    # The bytes are those of the list, which has other white space than any encoder of ours.
    assert b'\n   "id": "' in kept.body


async def test_the_inbox_says_what_was_backfilled(
    door: Door, stripe: Stripe, admin: dict[str, str]
) -> None:
    stripe.paid(1)
    await run(door.pool, stripe.account())
    await door.stripe("payment_intent.succeeded", payment_intent("pi_2", user_id="u_7"))

    response = await door.client.get("/api/v1/webhooks", headers=admin)
    items = (await response.json())["items"]
    assert [(one["payment_id"], one["backfilled"]) for one in items] == [
        ("pi_2", False),
        ("pi_1", True),
    ]
    assert items[1]["verified_by"].startswith("api:")


async def test_twice_books_once_and_repeats_nothing(door: Door, stripe: Stripe) -> None:
    stripe.paid()
    await run(door.pool, stripe.account())
    again = await run(door.pool, stripe.account())

    assert (again.listed, again.taken) == (1, 0)
    assert await door.available() == "20.00"
    assert await repeats(door) == []


async def test_a_late_webhook_is_a_plain_repeat(door: Door, stripe: Stripe) -> None:
    event = stripe.paid()
    await run(door.pool, stripe.account())

    assert await webhook(door, event) == "repeated"
    assert await webhook(door, event, request={"id": "req_1", "idempotency_key": "k"}) == "repeated"
    assert await webhook(door, event, api_version="2020-08-27") == "repeated"
    assert await repeats(door) == [True, True, True]
    assert await door.cases() == []
    assert await door.available() == "20.00"


async def test_a_webhook_in_an_older_version_is_a_plain_repeat(door: Door, stripe: Stripe) -> None:
    event = stripe.paid()
    await run(door.pool, stripe.account())
    older = {**event["data"]["object"], "charges": {"data": [{"id": "ch_1"}]}}
    del older["latest_charge"]

    assert await webhook(door, event, data={"object": older}) == "repeated"
    assert await door.cases() == []


async def test_an_event_that_a_webhook_brought_is_not_taken_again(
    door: Door, stripe: Stripe
) -> None:
    assert await webhook(door, stripe.paid()) == "booked"
    done = await run(door.pool, stripe.account())

    assert (done.listed, done.taken) == (1, 0)
    assert not (await door.last()).backfilled
    assert await door.available() == "20.00"


async def test_a_webhook_that_arrives_between_looking_and_booking_is_a_plain_repeat(
    door: Door, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = stripe.paid()

    async def all_missing(*arguments: Any) -> Any:  # noqa: ANN401 - as the original
        assert await webhook(door, event) == "booked"
        return arguments[-1]

    monkeypatch.setattr("recon.webhooks.backfill.run.not_in_inbox", all_missing)
    done = await run(door.pool, stripe.account())

    assert done.outcomes == {"repeated": 1}
    assert await repeats(door) == [True]
    assert await door.cases() == []
    assert await door.available() == "20.00"


@pytest.mark.parametrize("redacted", [False, True])
async def test_a_webhook_that_says_something_else_is_an_alarm(
    door: Door, stripe: Stripe, *, redacted: bool
) -> None:
    event = stripe.paid()
    await run(door.pool, stripe.account())
    if redacted:
        await door.pool.execute("UPDATE deliveries SET body = NULL")
    other = payment_intent("pi_1", amount=90_000, user_id="u_7")

    assert await webhook(door, event) == "repeated"
    assert await webhook(door, event, data={"object": other}) == "quarantined"
    assert [case.kind for case in await door.cases()] == ["event_id_reused"]
    assert await repeats(door) == [True, False]
    assert await door.available() == "20.00"


async def test_a_webhook_for_another_player_is_an_alarm(door: Door, stripe: Stripe) -> None:
    event = stripe.paid()
    await run(door.pool, stripe.account())
    other = payment_intent("pi_1", user_id="u_8")

    assert await webhook(door, event, data={"object": other}) == "quarantined"
    assert [case.kind for case in await door.cases()] == ["event_id_reused"]


async def test_webhooks_that_differ_in_what_is_pending_are_repeats_and_in_no_more(
    door: Door, stripe: Stripe
) -> None:
    event = stripe.paid()
    assert await webhook(door, event) == "booked"

    assert await webhook(door, event, pending_webhooks=2) == "repeated"
    assert await webhook(door, event, livemode=True) == "quarantined"
    assert [case.kind for case in await door.cases()] == ["event_id_reused"]


async def test_events_younger_than_the_grace_are_left_to_their_webhooks(
    door: Door, stripe: Stripe
) -> None:
    stripe.paid(1, ago_s=30)
    stripe.paid(2, ago_s=90)
    done = await run(door.pool, stripe.account())

    assert done.taken == 1
    assert (await door.last()).payment_id == "pi_2"


async def test_many_pages_are_read_to_the_end(door: Door, stripe: Stripe) -> None:
    for number in range(230):
        stripe.paid(number, ago_s=600 + number // 3)
    done = await run(door.pool, stripe.account())

    assert (done.listed, done.outcomes) == (230, {"booked": 230})
    assert await door.available() == "4600.00"
    assert len(stripe.asked) == 3


async def test_what_is_asked_for_is_what_is_of_use_here(door: Door, stripe: Stripe) -> None:
    stripe.happened("customer.created", {"id": "cus_1", "object": "customer"})
    done = await run(door.pool, stripe.account())

    assert done.listed == 0
    (asked,) = stripe.asked
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.headers["Stripe-Version"]
    assert sorted(asked.query.getall("types[]")) == sorted(EVENT_TYPES)
    assert len(EVENT_TYPES) <= 20
    assert asked.query["limit"] == "100"


async def test_no_type_is_asked_for_that_the_webhooks_do_not_bring(
    door: Door, stripe: Stripe
) -> None:
    stripe.happened("payout.paid", payout("po_treasury"))
    stripe.paid()
    account = replace(stripe.account(), types=("payment_intent.succeeded",))

    assert (await run(door.pool, account)).listed == 1
    assert [one.event_type for one in await door.inbox()] == ["payment_intent.succeeded"]


async def test_evidence_says_that_no_webhook_brought_it(door: Door, stripe: Stripe) -> None:
    await door.register("order-1", endpoint="stripe", amount="25.00")
    stripe.paid(1, reference="order-1", user_id="u_7")
    await run(door.pool, stripe.account())

    async with door.pool.acquire() as connection:
        (found,) = await unbooked_deliveries_of(
            connection, "u_7", references=[("stripe", "order-1")]
        )
    assert (found.state, found.backfilled) == ("suspended", True)


async def test_a_refund_and_its_deposit_that_both_went_missing_are_booked(
    door: Door, stripe: Stripe
) -> None:
    stripe.paid(1, ago_s=900)
    stripe.happened(
        "refund.created", refund(payment_intent="pi_1", charge="ch_1", amount=500), ago_s=300
    )
    done = await run(door.pool, stripe.account())

    assert done.outcomes == {"booked": 2}
    assert await door.available() == "15.00"


async def test_a_registered_withdrawal_is_paid_by_a_backfilled_event(
    door: Door, stripe: Stripe
) -> None:
    await door.standard("deposit.succeeded", amount="50.00")
    await door.register("w-1", endpoint="stripe", direction="withdrawal")
    stripe.happened("payout.paid", payout(reference="w-1", user_id="u_7"))
    await run(door.pool, stripe.account())

    assert (await door.available(), await door.reserved()) == ("30.00", "0.00")
    assert await door.payment_state("w-1") == "paid"


async def test_an_unusable_event_is_quarantined_once(door: Door, stripe: Stripe) -> None:
    stripe.happened("payment_intent.succeeded", payment_intent(amount=-5, user_id="u_7"))
    assert (await run(door.pool, stripe.account())).outcomes == {"quarantined": 1}
    assert (await run(door.pool, stripe.account())).taken == 0

    assert [case.kind for case in await door.cases()] == ["quarantined"]
    assert await repeats(door) == []


async def test_an_event_with_a_key_twice_is_quarantined_once(door: Door, stripe: Stripe) -> None:
    text = json.dumps(stripe.paid())
    twice = text.replace('"livemode": false', '"livemode": false, "livemode": false')
    page = f'{{"object": "list", "has_more": false, "data": [{twice}]}}'.encode()
    for taken in (1, 0):
        stripe.answer(page)
        assert (await run(door.pool, stripe.account())).taken == taken

    (case,) = await door.cases()
    assert (case.kind, case.reason) == ("quarantined", "an object has a key twice")


async def test_two_workers_at_once_book_once(door: Door, stripe: Stripe) -> None:
    for number in range(20):
        stripe.paid(number)
    ended = await asyncio.gather(
        *(run(door.pool, stripe.account()) for _ in range(6)), return_exceptions=True
    )

    assert sum(not isinstance(one, BackfillBusyError) for one in ended) >= 1
    assert all(
        not isinstance(one, Exception) or isinstance(one, BackfillBusyError) for one in ended
    )
    assert await door.available() == "400.00"
    assert await repeats(door) == []


async def test_webhooks_that_come_during_a_backfill_book_once_with_it(
    door: Door, stripe: Stripe
) -> None:
    events = [stripe.paid(number, ago_s=600 + number) for number in range(150)]
    _, *states = await asyncio.gather(
        run(door.pool, stripe.account()), *(webhook(door, event) for event in events)
    )

    assert set(states) <= {"booked", "repeated"}
    assert await door.available() == "3000.00"
    assert await door.cases() == []
    assert await door.pool.fetchval("SELECT count(*) FROM deliveries") == 150
    assert all(await repeats(door))


async def test_one_that_was_killed_is_followed_once_its_lease_has_ended(
    door: Door, stripe: Stripe
) -> None:
    stripe.paid()
    await door.pool.execute(
        "INSERT INTO backfills (endpoint, held_by, held_until) "
        "VALUES ('stripe', $1, now() + interval '1 minute')",
        new_id(),
    )
    with pytest.raises(BackfillBusyError):
        await run(door.pool, stripe.account())
    await door.pool.execute("UPDATE backfills SET held_until = now() - interval '1 second'")

    assert (await run(door.pool, stripe.account())).taken == 1


async def test_one_whose_lease_was_taken_over_stops(door: Door, stripe: Stripe) -> None:
    for number in range(250):
        stripe.paid(number, ago_s=600 + number)

    async def meanwhile(request: web.Request) -> web.StreamResponse:
        await door.pool.execute("UPDATE backfills SET held_by = $1", new_id())
        return web.json_response(stripe.page(request))

    stripe.plainly_first = 1
    stripe.instead.append(meanwhile)
    with pytest.raises(BackfillBusyError):
        await run(door.pool, stripe.account())
    assert len(stripe.asked) == 2
    (other,) = await read_progress(door.pool)
    assert (other.listed_until, other.completed_at, other.failure) == (None, None, None)


async def test_the_cursor_moves_on_when_a_list_was_read_to_its_end_and_only_then(
    door: Door, stripe: Stripe
) -> None:
    await run(door.pool, stripe.account())
    (first,) = await read_progress(door.pool)
    assert first.listed_until is not None
    assert 55 < (now() - first.listed_until).total_seconds() < 120
    assert (first.failure, first.age_s is not None) == (None, True)

    await door.pool.execute("UPDATE backfills SET listed_until = listed_until - interval '3 h'")
    stripe.paid(1, ago_s=11_000)
    stripe.paid(2, ago_s=4000)
    stripe.paid(3, ago_s=300)
    # The oldest hour is read, and all tries of the next one fail.
    stripe.plainly_first = 1
    stripe.fail(503, times=4)
    with pytest.raises(ListingUnavailableError):
        await run(door.pool, stripe.account())
    (failed,) = await read_progress(door.pool)
    assert failed.listed_until is not None
    assert failed.failure is not None
    assert "503" in failed.failure
    gone = first.listed_until - failed.listed_until
    assert timedelta(hours=2) < gone < timedelta(hours=2, minutes=30)
    assert await door.available() == "20.00"

    assert (await run(door.pool, stripe.account())).taken == 2
    assert await door.available() == "60.00"
    (last,) = await read_progress(door.pool)
    assert (last.failure, last.events) == (None, 3)
    assert last.listed_until is not None
    assert last.listed_until >= first.listed_until


async def test_a_look_at_the_last_minutes_does_not_move_the_cursor_over_a_gap(
    door: Door, stripe: Stripe
) -> None:
    await run(door.pool, stripe.account())
    await door.pool.execute("UPDATE backfills SET listed_until = listed_until - interval '3 h'")
    stripe.paid(1, ago_s=9000)
    stripe.paid(2, ago_s=120)

    assert (await run(door.pool, stripe.account(), since=now() - timedelta(minutes=5))).taken == 1
    assert (await run(door.pool, stripe.account())).taken == 1
    assert await door.available() == "40.00"


async def test_the_first_listing_goes_back_an_hour_and_no_further_unbidden(
    door: Door, stripe: Stripe
) -> None:
    stripe.paid(1, ago_s=3 * 3600)
    assert (await run(door.pool, stripe.account())).taken == 0
    since = now() - timedelta(days=3)
    assert (await run(door.pool, stripe.account(), since=since)).taken == 1


async def test_nothing_is_asked_for_that_stripe_has_forgotten(door: Door, stripe: Stripe) -> None:
    await run(door.pool, stripe.account())
    await door.pool.execute("UPDATE backfills SET listed_until = listed_until - interval '40 d'")
    stripe.asked.clear()
    done = await run(door.pool, stripe.account())

    assert timedelta(days=29, hours=23) < now() - done.since < timedelta(days=30, minutes=2)
    oldest = min(int(request.query["created[gte]"]) for request in stripe.asked)
    assert oldest == int(done.since.timestamp())


async def test_the_schedule_keeps_its_pace_and_a_failing_account_stops_no_other(
    door: Door, stripe: Stripe
) -> None:
    stripe.paid()
    endpoint = Endpoint(name="stripe_us", provider="stripe", secrets=())
    accounts = [ApiAccount(endpoint, stripe.url, "rk_test_wrong", False), stripe.account()]  # noqa: FBT003 - livemode
    for _ in range(3):
        await backfill_due(
            door.pool, accounts, every=timedelta(hours=1), leave=timedelta(minutes=1)
        )

    assert len(stripe.asked) == 2
    assert await door.available() == "20.00"
    us, uk = sorted(await read_progress(door.pool), key=lambda one: one.failure is None)
    assert (us.endpoint, us.age_s) == ("stripe_us", None)
    assert us.failure is not None
    assert us.failure.startswith("psp_api_refused")
    assert (uk.endpoint, uk.failure) == ("stripe", None)


async def test_what_is_missing_can_be_looked_at_without_booking(door: Door, stripe: Stripe) -> None:
    assert await webhook(door, stripe.paid(1)) == "booked"
    missing = stripe.paid(2)
    since, until = now() - timedelta(hours=1), now()
    async with open_event_list(stripe.account(), timeout=timedelta(seconds=5)) as events:
        found = [one async for one in missed_events(door.pool, events, since=since, until=until)]

    assert [one.event_id for one in found] == [missing["id"]]
    assert json.loads(found[0].body) == missing
    assert await door.available() == "20.00"
