"""The crash engine as callers see it: phases, crash points, caching, paging."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import TYPE_CHECKING

from recon.sandbox.curve import Curve, crash_hundredths

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.sandbox.game.conftest import World


async def test_the_same_seed_gives_the_same_crash_points(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    crashes = []
    for seed in (11, 11, 12):
        world = await worlds(seed=seed)
        world.clock.turn(120)
        page = await world.get("/api/v1/game/rounds?limit=12")
        crashes.append([shown["crash_multiplier"] for shown in page.json["rounds"]][-10:])

    assert len(crashes[0]) >= 10
    oldest = [list(reversed(seen)) for seen in crashes]
    assert oldest[0] == oldest[1]
    assert oldest[0] != oldest[2]


def test_crash_points_leave_the_house_three_percent() -> None:
    drawn = [crash_hundredths(5, number, 1_000_000) for number in range(1, 20_001)]

    for target in (150, 200, 500):
        reached = sum(crash >= target for crash in drawn)
        # Expected return of any target is 97 %; five standard deviations at 20,000 rounds.
        chance = 97 / target
        spread = 5 * (20_000 * chance * (1 - chance)) ** 0.5
        assert abs(reached - 20_000 * chance) < spread


def test_the_curve_is_exact_at_its_ends_and_never_falls() -> None:
    curve = Curve(1000, 6000)

    assert curve.at(0) == 100
    assert curve.at(5999) == 999
    assert curve.at(6000) == curve.at(60_000) == 1000
    climb = [curve.at(ms) for ms in range(0, 6001, 7)]
    assert climb == sorted(climb)
    assert all(
        curve.at(curve.reached_ms(hundredths)) == hundredths for hundredths in range(500, 1001)
    )


async def test_a_round_goes_betting_active_crashed_payout(world: World) -> None:
    await world.next_round(150)
    seen = []
    for _ in range(1500):
        shown = await world.state()
        seen.append((shown["round_id"], shown["status"], shown["current_multiplier"]))
        world.clock.turn(0.02)
        if len({name for name, _, _ in seen}) > 1:
            break
    first = [step for step in seen if step[0] == seen[0][0]]

    assert [status for status, _ in itertools.groupby(status for _, status, _ in first)] == [
        "betting",
        "active",
        "crashed",
        "payout",
    ]
    multipliers = [multiplier for _, _, multiplier in first]
    assert multipliers == sorted(multipliers)
    assert multipliers[0] == Decimal("1.00")
    finished = await world.get(f"/api/v1/game/rounds/{first[0][0]}")
    assert finished.json["crash_multiplier"] == multipliers[-1] >= Decimal("1.50")


async def test_the_crash_point_is_not_shown_before_the_crash(world: World) -> None:
    await world.next_round(200)
    round_id = (await world.state())["round_id"]
    await world.until("active")

    shown = await world.get(f"/api/v1/game/rounds/{round_id}")

    assert shown.json["crash_multiplier"] is None
    assert shown.json["crashed_at"] is None
    assert "ETag" not in shown.headers
    assert shown.headers["Cache-Control"] == "no-store"


async def test_multipliers_are_numbers_with_two_places(world: World) -> None:
    reply = await world.get("/api/v1/game/state")

    assert '"current_multiplier":1.00' in reply.text


async def test_participants_are_those_who_hold_a_bet(world: World) -> None:
    world.player("u_2")
    await world.bet(user="u_1", amount="1.00")
    await world.bet(user="u_1", amount="1.00")
    await world.bet(user="u_2", amount="1.00")

    assert (await world.state())["participants"] == 2


async def test_live_answers_are_never_cached(world: World) -> None:
    state = await world.get("/api/v1/game/state")
    balance = await world.get("/api/v1/user/balance?currency=GBP", user="u_1")

    assert state.headers["Cache-Control"] == balance.headers["Cache-Control"] == "no-store"


async def test_a_finished_round_answers_304_to_who_has_it(world: World) -> None:
    round_id = (await world.state())["round_id"]
    world.clock.turn(15)
    path = f"/api/v1/game/rounds/{round_id}"

    first = await world.get(path)
    assert first.headers["Cache-Control"] == "no-cache"
    by_tag = await world.call("GET", path, headers={"If-None-Match": first.headers["ETag"]})
    by_time = await world.call(
        "GET", path, headers={"If-Modified-Since": first.headers["Last-Modified"]}
    )
    other = await world.call("GET", path, headers={"If-None-Match": '"other"'})
    both = await world.call(
        "GET",
        path,
        headers={
            "If-None-Match": '"other"',
            "If-Modified-Since": first.headers["Last-Modified"],
        },
    )

    assert (by_tag.status, by_tag.text) == (304, "")
    assert by_tag.headers["ETag"] == first.headers["ETag"]
    assert by_time.status == 304
    assert other.status == 200
    assert both.status == 200  # the tag wins
    world.clock.turn(300)
    settled = await world.get(path)
    assert settled.headers["Cache-Control"] == "private, max-age=86400"
    assert settled.headers["ETag"] == first.headers["ETag"]


async def test_past_rounds_page_backwards_without_gap_or_repeat(world: World) -> None:
    world.clock.turn(120)
    whole = [shown["round_id"] for shown in (await world.get("/api/v1/game/rounds")).json["rounds"]]

    paged: list[str] = []
    path = "/api/v1/game/rounds?limit=4"
    while True:
        page = [shown["round_id"] for shown in (await world.get(path)).json["rounds"]]
        if not page:
            break
        assert len(page) <= 4
        paged += page
        path = f"/api/v1/game/rounds?limit=4&before={page[-1]}"

    assert paged == whole
    assert len(whole) > 12
    assert (await world.state())["round_id"] not in whole


async def test_every_answer_says_the_version_and_what_is_being_phased_out(world: World) -> None:
    plain = await world.get("/api/v1/game/state")
    await world.call(
        "PUT",
        "/sandbox/lifecycle",
        body=b'{"version":"2.0","deprecated_at":"2026-01-01T00:00:00Z",'
        b'"sunset_at":"2026-07-01T00:00:00Z"}',
    )
    ageing = await world.get("/api/v1/game/state")
    await world.call("PUT", "/sandbox/lifecycle", body=b'{"deprecated_at":null,"sunset_at":null}')
    cleared = await world.get("/api/v1/game/state")

    assert plain.headers["X-API-Version"] == "1.4"
    assert "Deprecation" not in plain.headers
    assert ageing.headers["X-API-Version"] == "2.0"
    assert ageing.headers["Deprecation"] == "@1767225600"
    assert ageing.headers["Sunset"] == "Wed, 01 Jul 2026 00:00:00 GMT"
    assert 'rel="deprecation"' in ageing.headers["Link"]
    assert "Sunset" not in cleared.headers
