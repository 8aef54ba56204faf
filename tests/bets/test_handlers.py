"""The internal API's bets and the game's state, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from recon.bets import desk, opening, queries
from recon.clock import now, parse_time
from recon.game import Attempt
from recon.game import handlers as game
from recon.http.seen_through import finish_calls
from tests.bets.calling import Api, Moment, body, leave, once, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.bets.conftest import World


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    # The handlers live by the machine's clock.
    world.clock.ticking = True
    async with serving(world, world.game) as opened:
        yield opened


async def test_a_bet_is_placed_with_201_and_read_back(world: World, api: Api) -> None:
    await world.deposit("100.00")

    answer = await api.post("/api/v1/bets", json=body(world), headers=once())
    text = await answer.text()
    placed = await answer.json()

    assert answer.status == 201
    assert set(placed) == {
        *("bet_id", "ticket_id", "state", "user_id", "round_id", "amount", "currency"),
        *("auto_cashout", "cashout_multiplier", "payout", "reason"),
        *("created_at", "placed_at", "updated_at"),
    }
    assert (placed["state"], placed["amount"], placed["payout"]) == ("placed", "10.00", None)
    assert '"auto_cashout":2.50,' in text
    assert answer.headers["Location"] == f"/api/v1/bets/{placed['bet_id']}"
    shown = await api.get(answer.headers["Location"])
    assert (shown.status, await shown.json()) == (200, placed)


async def test_the_target_is_a_number_a_decimal_string_or_null(world: World, api: Api) -> None:
    await world.deposit("100.00")

    for auto, shown in ((2.5, 2.5), ("2.5", 2.5), (None, None)):
        wanted = body(world, auto_cashout=auto)
        answer = await api.post("/api/v1/bets", json=wanted, headers=once())

        assert (answer.status, (await answer.json())["auto_cashout"]) == (201, shown)


async def test_what_cannot_be_understood_is_400(world: World, api: Api) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"amount": 10.0}, "validation_failed"),
        ({"amount": "10.001"}, "invalid_amount"),
        ({"amount": "-1.00"}, "invalid_amount"),
        ({"auto_cashout": 1}, "invalid_multiplier"),
        ({"auto_cashout": "1.000000001"}, "invalid_multiplier"),
        ({"auto_cashout": "NaN"}, "invalid_multiplier"),
        ({"auto_cashout": "1e999999"}, "invalid_multiplier"),
        ({"auto_cashout": "2_5"}, "invalid_multiplier"),
        ({"auto_cashout": " 2.5"}, "invalid_multiplier"),
        ({"auto_cashout": "\u0662"}, "invalid_multiplier"),
        ({"user_id": "~u"}, "invalid_user_id"),
        ({"nonsense": 1}, "validation_failed"),
    ]
    for changes, code in wrong:
        answer = await api.post("/api/v1/bets", json=body(world, **changes), headers=once())

        assert (changes, answer.status, (await answer.json())["code"]) == (changes, 400, code)


async def test_a_repeat_of_the_call_is_one_bet_and_says_so(world: World, api: Api) -> None:
    await world.deposit("100.00")
    wanted, headers = body(world), once("k1")

    first = await api.post("/api/v1/bets", json=wanted, headers=headers)
    again = await api.post("/api/v1/bets", json=wanted, headers=headers)

    assert await again.read() == await first.read()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(world.network.calls("/holds")) == 1
    assert await world.ledger() == ("90.00", "0.00")


async def test_an_unknown_outcome_is_202_and_settled_later(world: World, api: Api) -> None:
    await world.deposit("100.00")
    world.network.lose("/confirm", "after")

    answer = await api.post("/api/v1/bets", json=body(world), headers=once())
    bet = await answer.json()

    assert (answer.status, bet["state"], bet["ticket_id"]) == (202, "placing", None)
    await world.resolve()
    shown = await (await api.get(f"/api/v1/bets/{bet['bet_id']}")).json()
    assert shown["state"] == "placed"


async def test_a_closed_round_is_409_and_too_little_money_is_422(world: World, api: Api) -> None:
    await world.deposit("5.00")
    poor = await api.post("/api/v1/bets", json=body(world), headers=once())
    late = body(world, amount="5.00")
    world.fly()
    closed = await api.post("/api/v1/bets", json=late, headers=once())

    assert (poor.status, (await poor.json())["code"]) == (422, "insufficient_balance")
    assert (closed.status, (await closed.json())["code"]) == (409, "round_closed")
    assert await world.ledger() == ("5.00", "0.00")


async def test_a_game_out_of_reach_is_503_with_retry_after_and_since_when(
    world: World, api: Api
) -> None:
    await world.deposit("100.00")
    world.network.always += [("POST", "refused"), ("/game/state", "refused")]
    await api.get("/api/v1/game/state")

    down = await api.post("/api/v1/bets", json=body(world), headers=once("k1"))
    world.network.always.clear()
    up = await api.post("/api/v1/bets", json=body(world), headers=once("k1"))

    problem = await down.json()
    assert (down.status, problem["code"], problem["degraded"]) == (503, "game_unavailable", True)
    assert parse_time(problem["since"]) <= now()
    assert int(down.headers["Retry-After"]) > 0
    assert up.status == 201


async def test_a_cash_out_is_202_until_its_payout_is_booked(world: World, api: Api) -> None:
    await world.deposit("100.00")
    wanted = body(world, auto_cashout=None)
    bet = await (await api.post("/api/v1/bets", json=wanted, headers=once())).json()
    path = f"/api/v1/bets/{bet['bet_id']}/cashout"
    world.fly(seconds=5)

    asked = await api.post(path, headers=once())
    pending = await asked.json()
    world.end_round()
    await world.resolve(after_s=5)
    settled = await api.post(path, headers=once())
    paid = await settled.json()

    assert (asked.status, pending["state"], pending["payout"]) == (202, "cashing_out", None)
    assert (settled.status, paid["state"]) == (200, "cashed_out")
    assert paid["cashout_multiplier"] > 1
    assert world.at_game() == await world.ledger()
    assert paid["payout"] == str((await world.bets())[0].payout)


async def test_a_bet_that_is_not_there_is_404(api: Api) -> None:
    for bet_id in ("nothing", "0198c0de-0000-7000-8000-000000000000"):
        shown = await api.get(f"/api/v1/bets/{bet_id}")
        asked = await api.post(f"/api/v1/bets/{bet_id}/cashout", headers=once())

        for answer in (shown, asked):
            assert (answer.status, (await answer.json())["code"]) == (404, "bet_not_found")


async def test_a_bet_goes_on_when_its_caller_goes_away(world: World, api: Api) -> None:
    await world.deposit("100.00")
    real, moment = world.network.real.send, Moment()

    async def slow(outgoing: Any) -> Any:  # noqa: ANN401 - a transport's types
        if outgoing.method == "POST":
            await moment.hold()
        return await real(outgoing)

    world.network.real.send = slow  # type: ignore[method-assign]
    await leave(api, "/api/v1/bets", moment, json=body(world), headers=once())
    moment.left.set()
    await finish_calls()

    (bet,) = await world.bets()
    assert bet.state == "placed"
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_the_state_of_the_game_is_passed_through(world: World, api: Api) -> None:
    answer = await api.get("/api/v1/game/state")
    text, state = await answer.text(), await answer.json()

    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert '"current_multiplier":1.00,' in text
    assert (state["round_id"], state["status"]) == (world.round.round_id, "betting")


async def test_a_game_that_is_down_is_degraded_since_its_first_failure(
    world: World, api: Api
) -> None:
    world.network.always.append(("/game/state", "refused"))
    first = await api.get("/api/v1/game/state")
    second = await api.get("/api/v1/game/state")
    world.network.always.clear()
    up = await api.get("/api/v1/game/state")
    world.network.always.append(("/game/state", "refused"))
    later = await api.get("/api/v1/game/state")

    problem, same, anew = await first.json(), await second.json(), await later.json()
    assert (first.status, problem["code"], problem["degraded"]) == (503, "game_unavailable", True)
    assert first.headers["Retry-After"] == "1"
    assert same["since"] == problem["since"] < anew["since"]
    assert up.status == 200


async def test_without_a_game_every_call_of_it_is_503(world: World) -> None:
    async with serving(world, None) as api:
        state = await api.get("/api/v1/game/state")
        bet = await api.post("/api/v1/bets", json=body(world), headers=once())
        said = [(answer.status, (await answer.json())["code"]) for answer in (state, bet)]

    assert said == [(503, "game_not_configured")] * 2


async def test_calls_that_outlast_the_shutdown_are_cut_off_and_finished_later(
    world: World, api: Api
) -> None:
    await world.deposit("100.00")
    real, moment = world.network.real.send, Moment()

    async def stuck(outgoing: Any) -> Any:  # noqa: ANN401 - a transport's types
        if outgoing.target.endswith("/confirm"):
            await moment.hold()
        return await real(outgoing)

    world.network.real.send = stuck  # type: ignore[method-assign]
    await leave(api, "/api/v1/bets", moment, json=body(world), headers=once())
    await finish_calls(timeout_s=0.01)
    world.network.real.send = real  # type: ignore[method-assign]

    (bet,) = await world.bets()
    assert bet.state == "placing"
    await world.resolve(after_s=46)
    assert (await world.bet(bet)).state == "rejected"
    assert await world.ledger() == world.at_game() == ("100.00", "0.00")


def attempt(status: int | None, error: str | None) -> Attempt:
    return Attempt(
        operation="GET /api/v1/game/state",
        method="GET",
        path="/api/v1/game/state",
        number=1,
        request_id="r_1",
        idempotency_key=None,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
        latency_s=0.01,
        status=status,
        error=error,
        replayed=False,
        wait_s=None,
    )


@pytest.mark.parametrize(
    ("status", "error", "down"),
    [
        (200, None, False),
        (409, "round_closed", False),
        (503, "game_unavailable", True),
        (None, "connection_lost", True),
        (429, "game_unavailable", True),
    ],
)
def test_the_game_is_down_since_the_first_attempt_of_any_call_that_failed(
    status: int | None,
    error: str | None,
    down: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    times = iter([datetime(2026, 1, 1, hour=h, tzinfo=UTC) for h in (1, 2)])
    watch = game.GameWatch(lambda: next(times))
    watch.observe(attempt(None, "connection_lost"))
    assert watch.down_since == datetime(2026, 1, 1, hour=1, tzinfo=UTC)

    watch.observe(attempt(status, error))

    since = watch.down_since
    assert since == (datetime(2026, 1, 1, hour=1, tzinfo=UTC) if down else None)


async def test_an_intent_that_is_given_back_at_that_moment_is_placed_anew(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.deposit("100.00")
    key = once()
    world.network.always.append(("POST /api/v1/bets/holds", "refused"))
    assert (await api.post("/api/v1/bets", json=body(world), headers=key)).status == 503
    world.network.always.clear()
    # As it is seen while the first attempt has not given its intent back yet.
    await world.pool.execute("UPDATE bets SET reason = 'round_closed'")
    real = queries.bet_by_caller_key

    async def given_back(*asked: Any) -> Any:  # noqa: ANN401 - passed on
        await world.pool.execute("UPDATE bets SET reason = 'game_unavailable'")
        return await real(*asked)

    monkeypatch.setattr(queries, "bet_by_caller_key", given_back)
    answer = await api.post("/api/v1/bets", json=body(world), headers=key)

    assert (answer.status, (await answer.json())["state"]) == (201, "placed")


async def test_a_conflict_that_passes_is_not_the_answer_for_ever(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.deposit("100.00")
    key = once()

    async def known_already(*_: Any) -> list[str]:  # noqa: ANN401 - not looked at
        return [opening.KNOWN]

    monkeypatch.setattr(desk, "open_each", known_already)
    answer = await api.post("/api/v1/bets", json=body(world), headers=key)
    assert (answer.status, (await answer.json())["code"]) == (503, "bet_in_progress")
    assert int(answer.headers["Retry-After"]) >= 1

    monkeypatch.setattr(desk, "open_each", opening.open_each)
    again = await api.post("/api/v1/bets", json=body(world), headers=key)
    assert again.status == 201
    assert "Idempotency-Replayed" not in again.headers
