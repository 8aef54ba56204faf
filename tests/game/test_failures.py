"""What each failure lets a caller conclude, and what is tried again."""

from __future__ import annotations

import asyncio
import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from recon.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable, Unprocessable
from recon.game import (
    BreakerPolicy,
    GameMisconfigured,
    GameOutcomeUnknown,
    GameProtocolError,
    GameRefused,
    GameUnavailable,
    Refusal,
    RetryPolicy,
    hold_body,
)
from recon.money import Money

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recon.game import Hold
    from tests.game.conftest import Rig

    OpenRig = Callable[..., Awaitable[Rig]]

BODY = hold_body("r_77", Money(1000, "GBP"), Decimal("2.50"))


async def hold(rig: Rig) -> Hold:
    return await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)


@pytest.mark.parametrize(
    ("status", "code", "family"),
    [
        (409, "round_closed", Conflict),
        (409, "hold_expired", Conflict),
        (409, "bet_not_active", Conflict),
        (409, "below_auto_cashout", Conflict),
        (422, "insufficient_balance", Unprocessable),
        (422, "currency_mismatch", Unprocessable),
        (422, "idempotency_key_reused", Unprocessable),
        (404, "not_found", NotFound),
        (404, "user_not_found", NotFound),
        (403, "user_not_allowed", Forbidden),
        (400, "validation_failed", Invalid),
    ],
)
async def test_a_refusal_is_definitive_and_of_its_family(
    rig: Rig, status: int, code: str, family: type[Exception]
) -> None:
    rig.game.will(rig.game.refuses(status, code))

    with pytest.raises(GameRefused) as caught:
        await hold(rig)

    assert isinstance(caught.value, family)
    assert (caught.value.code, caught.value.status) == (code, status)
    assert caught.value.request_id == rig.game.seen[0].headers["X-Request-Id"]
    assert len(rig.game.seen) == 1


async def test_what_the_game_says_back_to_us_is_one_line_without_our_key(rig: Rig) -> None:
    said = f"key ck_sandbox_topsecretkey\x00\nof {'x' * 500} is unknown"
    rig.game.will(
        rig.game.says(401, {"code": "invalid_api_key", "message": said, "request_id": "q"})
    )

    with pytest.raises(GameMisconfigured) as caught:
        await rig.client.state()

    assert "key ck_sandbox_***  of xxx" in caught.value.message
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


async def test_callers_branch_on_the_code(rig: Rig) -> None:
    rig.game.will(rig.game.refuses(409, "round_closed"))

    with pytest.raises(GameRefused) as caught:
        await hold(rig)

    assert caught.value.code == Refusal.ROUND_CLOSED


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "invalid_api_key"), (401, "invalid_signature"), (403, "insufficient_scope")],
)
async def test_bad_credentials_are_for_people_and_are_not_tried_again(
    rig: Rig, status: int, code: str
) -> None:
    rig.game.will(rig.game.refuses(status, code))

    with pytest.raises(GameMisconfigured) as posted:
        await hold(rig)
    with pytest.raises(GameMisconfigured) as read:
        await rig.client.state()

    assert posted.value.reason == read.value.reason == code
    assert isinstance(posted.value, Unavailable)
    assert len(rig.game.seen) == 2


async def test_a_timeout_after_the_effect_is_unknown_and_nothing_is_sent_again(
    open_rig: OpenRig,
) -> None:
    rig = await open_rig(timeout_s=2.0)
    await rig.client.state()  # so that connecting is not what times out
    rig.game.seen.clear()
    rig.game.will(rig.game.stalls(60))

    with pytest.raises(GameOutcomeUnknown) as caught:
        await hold(rig)

    assert caught.value.reason == "connection_lost"
    assert caught.value.request_id == rig.game.seen[0].headers["X-Request-Id"]
    assert len(rig.game.seen) == 1
    assert rig.slept == []


@pytest.mark.parametrize("status", [500, 502, 503, 504, 520])
async def test_a_server_error_to_a_post_is_unknown_and_nothing_is_sent_again(
    rig: Rig, status: int
) -> None:
    rig.game.will(rig.game.refuses(status, "unavailable", Retry_After="1"))

    with pytest.raises(GameOutcomeUnknown) as caught:
        await hold(rig)

    assert (caught.value.reason, caught.value.status) == ("server_error", status)
    assert len(rig.game.seen) == 1


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, "<html>nginx</html>"),
        (403, "{}"),
        (409, '{"code":"still_busy","message":"m","request_id":"q"}'),
        (404, '{"code":"round_closed","message":"m","request_id":"q"}'),
        (408, '{"code":"timeout","message":"m","request_id":"q"}'),
        (200, "<html>"),
        (204, ""),
        (302, ""),
    ],
)
async def test_whatever_is_not_clearly_the_games_own_no_leaves_a_post_unknown(
    rig: Rig, status: int, body: str
) -> None:
    rig.game.will(rig.game.says(status, body))

    with pytest.raises(GameOutcomeUnknown):
        await hold(rig)

    assert len(rig.game.seen) == 1


async def test_a_first_attempt_still_running_is_unknown(rig: Rig) -> None:
    rig.game.will(rig.game.refuses(409, "idempotency_in_progress"))

    with pytest.raises(GameOutcomeUnknown) as caught:
        await hold(rig)

    assert caught.value.reason == "idempotency_in_progress"
    assert len(rig.game.seen) == 1


async def test_a_rate_limited_post_goes_again_under_its_key_with_a_fresh_nonce(rig: Rig) -> None:
    rig.game.will(
        rig.game.refuses(429, "rate_limited", Retry_After="2"),
        rig.game.refuses(429, "rate_limited", Retry_After="1"),
        rig.game.says(201, rig.game.hold()),
    )

    held = await hold(rig)

    assert held.hold_id == "h_1"
    heads = [seen.headers for seen in rig.game.seen]
    assert {head["Idempotency-Key"] for head in heads} == {"k1"}
    assert {seen.body for seen in rig.game.seen} == {BODY}
    assert len({head["X-Nonce"] for head in heads}) == 3
    assert len({head["X-Signature"] for head in heads}) == 3
    assert len({head["X-Request-Id"] for head in heads}) == 3
    assert 2.0 <= rig.slept[0] <= 2.1
    assert 1.0 <= rig.slept[1] <= 1.1


async def test_a_rate_limit_that_outlasts_the_retries_says_when_to_come_back(rig: Rig) -> None:
    rig.game.will(rig.game.refuses(429, "rate_limited", Retry_After="120"))

    with pytest.raises(GameUnavailable) as caught:
        await hold(rig)

    assert caught.value.retry_after_s == 120
    assert caught.value.status == 429
    assert len(rig.game.seen) == 1  # two minutes are longer than a caller is kept waiting


async def test_retry_after_may_be_a_date(rig: Rig) -> None:
    rig.game.will(
        rig.game.refuses(503, "unavailable", Retry_After="Thu, 01 Jan 2026 12:00:07 GMT"),
        rig.game.says(200, rig.game.state()),
    )

    await rig.client.state()

    assert 7.0 <= rig.slept[0] <= 7.1


async def test_without_retry_after_a_used_up_window_says_how_long(rig: Rig) -> None:
    rig.game.will(
        rig.game.refuses(
            429,
            "rate_limited",
            X_RateLimit_Limit="100",
            X_RateLimit_Remaining="0",
            X_RateLimit_Reset="3",
        ),
        rig.game.says(200, rig.game.state()),
    )

    await rig.client.state()

    assert 3.0 <= rig.slept[0] <= 3.1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_get_is_tried_again_with_full_jitter_within_growing_windows(
    open_rig: OpenRig, status: int
) -> None:
    dice = random.Random(7)  # noqa: S311 - the test wants the same waits each time
    rig = await open_rig(retry=RetryPolicy(attempts=5, base_s=0.1, cap_s=0.3), rng=dice)
    rig.game.will(rig.game.refuses(status, "unavailable"))

    with pytest.raises(GameUnavailable) as caught:
        await rig.client.state()

    assert len(rig.game.seen) == 5
    assert len(rig.slept) == 4
    for slept, window in zip(rig.slept, (0.1, 0.2, 0.3, 0.3), strict=True):
        assert 0 <= slept <= window
    assert caught.value.status == status
    assert caught.value.request_id == rig.game.seen[-1].headers["X-Request-Id"]


async def test_the_same_dice_wait_the_same(open_rig: OpenRig) -> None:
    waits: list[Any] = []
    for seed in (7, 7, 8):
        dice = random.Random(seed)  # noqa: S311 - the same seed is the point
        rig = await open_rig(rng=dice)
        rig.game.will(rig.game.refuses(503, "unavailable"))
        with pytest.raises(GameUnavailable):
            await rig.client.state()
        waits.append((rig.slept, [attempt.request_id for attempt in rig.attempts]))

    assert waits[0] == waits[1]
    assert waits[0] != waits[2]


async def test_no_attempt_starts_after_the_total_time(open_rig: OpenRig) -> None:
    dice = random.Random(7)  # noqa: S311 - the test wants the same waits each time
    hour = RetryPolicy(attempts=1000, total_s=3600.0, base_s=300.0, cap_s=300.0)
    never = BreakerPolicy(failures=1000, standing_s=0.0, open_s=1.0, longest_s=1.0)
    # Its sleep only tells its clock.
    rig = await open_rig(retry=hour, rng=dice, breaker=never)
    rig.game.will(rig.game.refuses(503, "unavailable"))

    with pytest.raises(GameUnavailable):
        await rig.client.state()

    assert 3300 < sum(rig.slept) <= 3600  # the last attempt began then
    assert len(rig.game.seen) == len(rig.slept) + 1 < 100


async def test_a_get_that_times_out_is_tried_again(open_rig: OpenRig) -> None:
    rig = await open_rig(timeout_s=2.0)
    rig.game.will(rig.game.stalls(60), rig.game.says(200, rig.game.state()))

    assert (await rig.client.state()).round_id == "r_77"
    assert [attempt.error for attempt in rig.attempts] == ["game_unavailable", None]


async def test_a_refused_connection_has_done_nothing(
    open_rig: OpenRig, unused_tcp_port: int
) -> None:
    rig = await open_rig(base_url=f"http://127.0.0.1:{unused_tcp_port}")

    with pytest.raises(GameUnavailable) as caught:
        await hold(rig)

    assert caught.value.status is None
    assert len(rig.attempts) == 4
    assert len(rig.slept) == 3


async def test_a_post_that_waited_in_vain_for_a_connection_has_done_nothing(
    open_rig: OpenRig,
) -> None:
    # A connection is waited for half as long as for an answer.
    rig = await open_rig(timeout_s=3.0, connections=1, retry=RetryPolicy(attempts=1))
    arrived = asyncio.Event()

    async def stall(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.sleep(60)
        return web.json_response({})

    rig.game.will(stall)
    busy = asyncio.create_task(rig.client.state())
    await arrived.wait()

    with pytest.raises(GameUnavailable, match="ConnectionTimeout"):
        await hold(rig)

    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    assert [seen.method for seen in rig.game.seen] == ["GET"]


@pytest.mark.parametrize(("status", "code"), [(401, "stale_timestamp"), (401, "nonce_reused")])
async def test_stale_values_are_made_fresh_once(rig: Rig, status: int, code: str) -> None:
    rig.game.will(rig.game.refuses(status, code), rig.game.says(201, rig.game.hold()))

    assert (await hold(rig)).hold_id == "h_1"

    first, second = (seen.headers for seen in rig.game.seen)
    assert first["X-Nonce"] != second["X-Nonce"]
    assert first["Idempotency-Key"] == second["Idempotency-Key"]


async def test_a_clock_that_stays_wrong_is_for_people(rig: Rig) -> None:
    rig.game.will(rig.game.refuses(401, "stale_timestamp"))

    with pytest.raises(GameMisconfigured, match="clock"):
        await hold(rig)

    assert len(rig.game.seen) == 2


async def test_a_nonce_seen_before_means_that_a_copy_may_have_been_executed(rig: Rig) -> None:
    rig.game.will(rig.game.refuses(401, "nonce_reused"))

    with pytest.raises(GameOutcomeUnknown) as caught:
        await hold(rig)

    assert caught.value.reason == "nonce_reused"
    assert len(rig.game.seen) == 2


async def test_nothing_later_makes_a_copy_that_may_have_been_executed_undone(rig: Rig) -> None:
    rig.game.will(
        rig.game.refuses(401, "nonce_reused"),
        rig.game.refuses(429, "rate_limited", Retry_After="120"),
    )

    with pytest.raises(GameOutcomeUnknown) as caught:
        await hold(rig)

    assert caught.value.reason == "nonce_reused"


@pytest.mark.parametrize(
    ("status", "code", "settled"),
    [
        (409, "hold_expired", True),  # a server that had executed the key would have replayed it
        (422, "insufficient_balance", True),
        (404, "not_found", False),
        (403, "user_not_allowed", False),
        (401, "invalid_api_key", False),
    ],
)
async def test_only_the_bets_own_state_settles_a_copy_that_may_have_been_executed(
    rig: Rig, status: int, code: str, *, settled: bool
) -> None:
    rig.game.will(rig.game.refuses(401, "nonce_reused"), rig.game.refuses(status, code))

    with pytest.raises(GameRefused if settled else GameOutcomeUnknown, match=code):
        await hold(rig)

    assert len(rig.game.seen) == 2


async def test_a_cancelled_caller_leaves_a_trace_and_no_second_request(rig: Rig) -> None:
    arrived = asyncio.Event()

    async def stall(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await asyncio.sleep(5)
        return web.json_response({})

    rig.game.will(stall)
    task = asyncio.create_task(hold(rig))
    await arrived.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [attempt.error for attempt in rig.attempts] == ["CancelledError"]
    assert len(rig.game.seen) == 1


async def test_a_get_that_the_contract_does_not_allow_is_a_protocol_error(rig: Rig) -> None:
    rig.game.will(rig.game.says(302, "", Location="/elsewhere"))

    with pytest.raises(GameProtocolError):
        await rig.client.state()

    assert [seen.path for seen in rig.game.seen] == ["/api/v1/game/state"]
