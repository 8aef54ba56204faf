"""Headers that no sound game sends: they stop nobody for ever, and no call ends as our fault."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recon.cli.console import configure_logging
from recon.game import (
    BreakerPolicy,
    GameOutcomeUnknown,
    GameUnavailable,
    RateLimits,
    RetryPolicy,
    hold_body,
)
from recon.game.notices import read_limits, read_wait_s
from recon.game.pace import Pace, Priority
from recon.money import Money
from tests.game.conftest import NOON

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.game.conftest import Rig

    OpenRig = Callable[..., Awaitable[Rig]]

BODY = hold_body("r_77", Money(1000, "GBP"), Decimal("2.50"))
NO_DATE = "Mon, 01 Jan 2024 00:00:00 +9999999999999"


async def test_a_date_that_no_clock_can_hold_leaves_a_bet_unknown(rig: Rig) -> None:
    rig.game.will(rig.game.refuses(503, "unavailable", Retry_After=NO_DATE))

    with pytest.raises(GameOutcomeUnknown):
        await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)

    assert rig.attempts[0].status == 503


async def test_a_probe_with_odd_headers_is_a_probe_that_has_ended(open_rig: OpenRig) -> None:
    policy = BreakerPolicy(failures=1, standing_s=0.0, open_s=0.05, longest_s=0.05)
    rig = await open_rig(retry=RetryPolicy(attempts=1), breaker=policy)
    rig.game.will(rig.game.refuses(503, "unavailable", Retry_After=NO_DATE))
    for _ in range(3):
        with pytest.raises(GameUnavailable):
            await rig.client.state()
        await asyncio.sleep(0.06)

    rig.game.will(rig.game.says(200, rig.game.state()))

    assert (await rig.client.state()).round_id == "r_77"


async def test_a_notice_that_is_no_text_is_noted_all_the_same(
    open_rig: OpenRig, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"code":"not_found","message":"","request_id":""}'
        writer.write(
            b"HTTP/1.1 503 Gone\r\nDeprecation: \xff\x1b[2J soon\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        rig = await open_rig(
            base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            retry=RetryPolicy(attempts=1),
        )
        with pytest.raises(GameUnavailable):
            await rig.client.state()

    (notice,) = rig.client.notices
    assert notice.value == "??[2J soon"  # the log, Postgres and a terminal take it
    assert "game_api_notice" in capfd.readouterr().err


@settings(derandomize=True, max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(
            ["Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]
        ),
        st.one_of(
            st.text(max_size=20),
            st.integers(-(10**12), 10**12).map(str),
            st.builds(
                "{} Jan {} {}:{} {}".format,
                *(st.integers(0, 10**20) for _ in range(4)),
                st.integers(-(10**20), 10**20).map("{:+d}".format),
            ),
        ),
    )
)
def test_whatever_the_headers_say_somebody_may_ask_again_within_the_hour(
    headers: dict[str, str],
) -> None:
    pace = Pace()
    pace.sent(Priority.BET, 0.0)
    limits, wait_s = read_limits(headers, NOON), read_wait_s(headers, NOON)

    pace.answered(limits, sent_s=0.0, now_s=0.0)
    pace.refused(wait_s, 0.0)

    assert pace.ready_at(Priority.SWEEP, 0.0) <= 3600.0


def test_a_window_without_end_is_asked_about_by_one_call_a_minute() -> None:
    pace, forever = Pace(), RateLimits(60, 0, 999_999_999, NOON)
    pace.sent(Priority.BET, 0.0)
    pace.answered(forever, sent_s=0.0, now_s=0.0)

    assert {pace.ready_at(priority, 1.0) for priority in Priority} == {60.0}
    pace.sent(Priority.SWEEP, 60.0)
    assert pace.ready_at(Priority.CASH_OUT, 60.0) > 1_000_000
    pace.answered(forever, sent_s=60.0, now_s=61.0)
    assert pace.ready_at(Priority.CASH_OUT, 61.0) == 121.0
    pace.sent(Priority.BET, 121.0)
    pace.answered(RateLimits(60, 59, 60, NOON), sent_s=121.0, now_s=121.1)
    assert pace.ready_at(Priority.CASH_OUT, 121.1) == 121.1
