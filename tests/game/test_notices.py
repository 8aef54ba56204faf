"""What stands beside the answers: attempts, rate limits, versions, endings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import structlog

from recon.game import GameRefused, GameUnavailable, RateLimits

if TYPE_CHECKING:
    from tests.game.conftest import Rig

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


async def test_every_attempt_is_seen_with_its_own_request_id(rig: Rig) -> None:
    rig.game.will(
        rig.game.refuses(503, "unavailable", Retry_After="1"),
        rig.game.says(200, rig.game.balance(), Idempotency_Replayed="true"),
    )

    await rig.client.balance("u_1001", "GBP")

    first, second = rig.attempts
    assert [a.request_id for a in rig.attempts] == [
        seen.headers["X-Request-Id"] for seen in rig.game.seen
    ]
    assert first.request_id != second.request_id
    assert (first.number, first.status, first.error) == (1, 503, "game_unavailable")
    assert (second.number, second.status, second.error) == (2, 200, None)
    assert first.operation == "GET /api/v1/user/balance"
    assert first.path == "/api/v1/user/balance?currency=GBP"
    assert (first.wait_s, second.wait_s) == (1.0, None)
    assert (first.replayed, second.replayed) == (False, True)
    assert 0 < second.latency_s < 5


async def test_an_operation_names_no_id(rig: Rig) -> None:
    rig.game.will(rig.game.refuses(404, "not_found"))

    with pytest.raises(GameRefused):
        await rig.client.cashout("u_1001", "t_1", "k9")

    [attempt] = rig.attempts
    assert attempt.operation == "POST /api/v1/bets/{ticket_id}/cashout"
    assert attempt.idempotency_key == "k9"
    assert attempt.error == "not_found"


async def test_the_rate_limits_are_those_of_the_last_answer(rig: Rig) -> None:
    rig.game.will(
        rig.game.says(
            200,
            rig.game.state(),
            X_RateLimit_Limit="1000",
            X_RateLimit_Remaining="998",
            X_RateLimit_Reset="41",
        ),
        rig.game.refuses(
            404,
            "not_found",
            X_RateLimit_Limit="1000",
            X_RateLimit_Remaining="997",
            X_RateLimit_Reset="40",
        ),
        rig.game.says(200, rig.game.state(), X_RateLimit_Limit="plenty"),
    )

    await rig.client.state()
    first = rig.client.limits
    with pytest.raises(GameRefused):
        await rig.client.state()
    await rig.client.state()
    last = rig.client.limits

    assert first == RateLimits(limit=1000, remaining=998, reset_s=41, seen_at=NOON)
    assert last == RateLimits(limit=1000, remaining=997, reset_s=40, seen_at=NOON)


async def test_an_announced_ending_is_noted_and_logged_once(rig: Rig) -> None:
    rig.game.will(
        rig.game.says(
            200,
            rig.game.state(),
            X_API_Version="2.0",
            Deprecation="@1767225600",
            Sunset="Thu, 31 Dec 2026 23:59:59 GMT",
            Link='<https://game.example/v2>; rel="successor-version"',
        )
    )

    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await rig.client.state()

    assert [(n.kind, n.operation, n.value) for n in rig.client.notices] == [
        ("api_version", "*", "2.0"),
        ("deprecation", "GET /api/v1/game/state", "@1767225600"),
        ("sunset", "GET /api/v1/game/state", "Thu, 31 Dec 2026 23:59:59 GMT"),
    ]
    assert rig.client.notices[1].link == '<https://game.example/v2>; rel="successor-version"'
    assert [log["kind"] for log in logs] == ["api_version", "deprecation", "sunset"]


async def test_our_own_version_is_nothing_to_note(rig: Rig) -> None:
    rig.game.will(rig.game.says(200, rig.game.state(), X_API_Version="1.9"))

    await rig.client.state()

    assert rig.client.notices == ()


@pytest.mark.parametrize(
    "text",
    [
        *("soon", "-5", "1.5", "9" * 30),
        *("Thu, 99 Jan 2026 12:00:00 GMT", f"Thu, 01 Jan {'9' * 20} 12:00:00 GMT"),
    ],
)
async def test_a_wait_that_cannot_be_read_falls_back_to_jitter(rig: Rig, text: str) -> None:
    rig.game.will(rig.game.refuses(503, "unavailable", Retry_After=text))

    with pytest.raises(GameUnavailable):
        await rig.client.state()

    assert len(rig.slept) == 3
    assert max(rig.slept) <= 0.4
