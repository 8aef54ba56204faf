"""Whatever Stripe's address answers: a clear error, nothing booked wrongly, no key told."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from recon.webhooks.backfill import (
    ApiAccount,
    ListingFaultyError,
    ListingRefusedError,
    ListingUnavailableError,
    read_progress,
)
from tests.webhooks.backfill.conftest import KEY, run
from tests.webhooks.conftest import ENDPOINTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recon.errors import ReconError
    from tests.webhooks.backfill.conftest import Stripe
    from tests.webhooks.conftest import Door


def page(*events: dict[str, Any], has_more: object = False) -> bytes:
    return json.dumps({"object": "list", "has_more": has_more, "data": events}).encode()


async def fails(door: Door, stripe: Stripe, error: type[ReconError], says: str) -> None:
    with pytest.raises(error, match=says) as told:
        await run(door.pool, stripe.account())
    assert KEY not in str(told.value)
    (progress,) = await read_progress(door.pool)
    assert progress.completed_at is None
    assert progress.failure is not None
    assert KEY not in progress.failure


async def works_again(door: Door, stripe: Stripe) -> None:
    """Nothing was passed over: the next one finds what the failed one did not."""
    stripe.instead.clear()
    await run(door.pool, stripe.account())
    assert await door.available() == "20.00"


@pytest.mark.parametrize("status", [429, 500, 503, 409])
async def test_what_passes_by_itself_is_tried_again(
    door: Door, stripe: Stripe, status: int
) -> None:
    stripe.paid()
    stripe.fail(status, times=2)

    assert (await run(door.pool, stripe.account())).taken == 1
    assert len(stripe.asked) == 3


async def test_what_does_not_pass_in_a_few_tries_fails(door: Door, stripe: Stripe) -> None:
    stripe.paid()
    stripe.fail(503, times=99)
    await fails(door, stripe, ListingUnavailableError, "answers 503")

    assert len(stripe.asked) == 4
    await works_again(door, stripe)


async def test_a_wait_that_is_asked_for_is_waited_for(door: Door, stripe: Stripe) -> None:
    stripe.paid()
    stripe.fail(429, headers={"Retry-After": "1"})
    began = asyncio.get_running_loop().time()
    await run(door.pool, stripe.account())
    assert asyncio.get_running_loop().time() - began >= 1


@pytest.mark.parametrize("wait", ["3600", "9999999999", "-1", "soon", "1.5", "٣"])
async def test_no_wait_holds_the_worker_for_long(door: Door, stripe: Stripe, wait: str) -> None:
    stripe.paid()
    stripe.fail(429, headers={"Retry-After": wait})
    async with asyncio.timeout(60):
        if wait == "3600":
            await fails(door, stripe, ListingUnavailableError, "answers 429")
            assert len(stripe.asked) == 1
        else:
            assert (await run(door.pool, stripe.account())).taken == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 302])
async def test_a_refusal_is_not_tried_again(door: Door, stripe: Stripe, status: int) -> None:
    stripe.paid()
    stripe.fail(status, times=9, headers={"Location": f"{stripe.url}/elsewhere"})
    await fails(door, stripe, ListingRefusedError, f"answers {status}")

    assert len(stripe.asked) == 1
    await works_again(door, stripe)


async def test_stripe_says_itself_whether_to_try_again(door: Door, stripe: Stripe) -> None:
    stripe.paid()
    stripe.fail(500, headers={"Stripe-Should-Retry": "false"})
    await fails(door, stripe, ListingRefusedError, "answers 500")
    stripe.fail(400, headers={"Stripe-Should-Retry": "true"})
    await works_again(door, stripe)


async def test_a_wrong_key_is_said_to_be_wrong(door: Door, stripe: Stripe) -> None:
    with pytest.raises(ListingRefusedError, match="API_KEY is wrong, revoked, or may not"):
        await run(door.pool, stripe.account(key="rk_test_other"))


async def test_nobody_at_the_address(door: Door, unused_tcp_port: int) -> None:
    account = ApiAccount(ENDPOINTS["stripe"], f"http://127.0.0.1:{unused_tcp_port}", KEY, False)  # noqa: FBT003 - livemode
    with pytest.raises(ListingUnavailableError, match="ClientConnectorError") as told:
        await run(door.pool, account)
    assert KEY not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"<html>",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"object":"list","has_more":false,"data":' + b"[" * 100_000,
        b'{"object":"list","has_more":false}',
        b'{"object":"list","has_more":"no","data":[]}',
        b'{"object":"event","has_more":false,"data":[]}',
        b'{"object":"list","has_more":false,"data":{}}',
        b'{"object":"list","has_more":false,"data":[7]}',
        b'{"object":"list","has_more":false,"data":[{}]}',
        page({"id": "evt_1", "object": "event", "type": "payout.paid", "created": 1.5}),
        page(
            {
                "id": "",
                "object": "event",
                "type": "payout.paid",
                "created": 10**11,
                "livemode": False,
            }
        ),
    ],
    ids=range(14),
)
async def test_garbage_is_named_and_changes_nothing(
    door: Door, stripe: Stripe, body: bytes
) -> None:
    stripe.paid()
    stripe.answer(body, times=9)
    await fails(door, stripe, ListingFaultyError, "no list of events|no event|cannot be one")

    assert len(stripe.asked) == 1
    await works_again(door, stripe)


async def test_a_page_of_the_list_of_the_other_mode_is_refused(door: Door, stripe: Stripe) -> None:
    live = stripe.paid()
    live["livemode"] = True
    await fails(door, stripe, ListingRefusedError, "key is of the live mode")
    assert await door.inbox() == []


@pytest.mark.parametrize(
    "changed",
    [{"created": 1_500_000_000}, {"created": 2**40}, {"type": "customer.created"}],
    ids=["too old", "too young", "another type"],
)
async def test_what_was_not_asked_for_is_not_booked(
    door: Door, stripe: Stripe, changed: dict[str, object]
) -> None:
    stripe.answer(page({**stripe.paid(), **changed}))
    await fails(door, stripe, ListingFaultyError, "not asked for")
    assert await door.inbox() == []


def endless() -> Iterator[tuple[str, str]]:
    yield "same", "circle"
    yield "empty", "empty page"
    yield "older first", "newest first"


@pytest.mark.parametrize(("way", "says"), list(endless()))
async def test_a_list_that_does_not_end_is_left(
    door: Door, stripe: Stripe, way: str, says: str
) -> None:
    event = stripe.paid()
    later = {**event, "id": "evt_later", "created": event["created"] + 5}
    pages = {
        "same": page(event, has_more=True),
        "empty": page(has_more=True),
        "older first": page(event, later, has_more=True),
    }
    stripe.answer(pages[way], times=99)
    await fails(door, stripe, ListingFaultyError, says)
    assert len(stripe.asked) <= 2
    await works_again(door, stripe)


async def test_a_list_without_end_of_ever_new_events_is_left(
    door: Door, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.webhooks.backfill.listing._MOST_PAGES", 5)
    event = stripe.paid()

    async def another(_: web.Request) -> web.StreamResponse:
        fresh = {**event, "id": f"evt_{len(stripe.asked)}", "type": "payout.created"}
        return web.Response(body=page(fresh, has_more=True))

    stripe.instead.extend([another] * 99)
    await fails(door, stripe, ListingFaultyError, "does not end after 5 pages")
    assert len(stripe.asked) == 5


async def test_more_than_was_asked_for_is_refused(door: Door, stripe: Stripe) -> None:
    event = stripe.paid()
    stripe.answer(page(*({**event, "id": f"evt_{number}"} for number in range(101))))
    await fails(door, stripe, ListingFaultyError, "more than the 100")
    assert await door.inbox() == []


async def test_a_huge_answer_is_cut_off(
    door: Door, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.webhooks.backfill.listing._MOST_BYTES", 100_000)
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(10_000):
            await response.write(b" " * 65_536)
            sent += 65_536
        return response

    stripe.paid()
    stripe.instead.append(flood)
    await fails(door, stripe, ListingFaultyError, "larger than 100000")
    assert sent < 100_000_000
    await works_again(door, stripe)


async def test_a_compressed_answer_is_not_opened(door: Door, stripe: Stripe) -> None:
    stripe.answer(b"\x1f\x8b" + b"0" * 100, headers={"Content-Encoding": "gzip"})
    await fails(door, stripe, ListingFaultyError, "encoded")


async def test_an_answer_that_never_comes_is_given_up(
    door: Door, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"object"')
        await asyncio.sleep(300)
        return response

    stripe.paid()
    stripe.instead.extend([slow] * 4)
    with monkeypatch.context() as impatient:
        impatient.setattr("recon.webhooks.backfill.run._CALL_TIMEOUT", timedelta(seconds=0.2))
        async with asyncio.timeout(60):
            await fails(door, stripe, ListingUnavailableError, "TimeoutError")
    await works_again(door, stripe)


async def test_a_connection_that_breaks_is_tried_again(door: Door, stripe: Stripe) -> None:
    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    stripe.paid()
    stripe.instead.append(cut)
    assert (await run(door.pool, stripe.account())).taken == 1
