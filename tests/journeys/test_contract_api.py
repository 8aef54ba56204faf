"""The internal API's part of the contract, against a third party's game."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import pytest

from tests.journeys.conftest import Api, Process, Recon, calling
from tests.journeys.test_contract_stub import PSPS, Game, Sender, playing, sending

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db.embedded import EmbeddedPostgres

SCOPES = (
    "write:payment", "read:payment", "write:bet", "read:bet", "read:wallet", "read:game_state",
    "run:reconciliation", "read:discrepancy", "write:discrepancy", "admin:webhook",
)  # fmt: skip


@dataclass
class World:
    """A service, its game, a sender of webhooks and a caller that may do everything."""

    recon: Recon
    service: Process
    game: Game
    psp: Sender
    api: Api

    async def fund(self, user: str, amount: str) -> None:
        """The same deposit here and at the game."""
        answer = await self.psp.deposit(f"p_{user}_{time.monotonic_ns()}", user, amount)
        assert answer.status == 200
        self.game.add(user, amount)

    async def in_touch(self) -> None:
        """Until the service has heard that its game is well; its breaker may be open before."""
        await self.api.until("/api/v1/game/state", "status", "betting")

    async def wallet(self, user: str) -> tuple[str, str]:
        _, found = await self.api.get(f"/api/v1/wallets/{user}?currency=GBP")
        return found["available"], found["held"]

    async def bet(
        self, user: str, amount: object = "5.00", **more: object
    ) -> tuple[int, dict[str, Any]]:
        wish = {"user_id": user, "round_id": self.game.open_round, "amount": amount,
                "currency": "GBP", "auto_cashout": None, **more}  # fmt: skip
        return await self.api.post("/api/v1/bets", wish)

    async def settled(self, bet_id: str, *states: str) -> dict[str, Any]:
        return dict(await self.api.until(f"/api/v1/bets/{bet_id}", "state", *states))


@pytest.fixture(scope="module")
async def world(
    server: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    administrator = await asyncpg.connect(server.dsn_for("postgres"))
    await administrator.execute(f"CREATE DATABASE contract_api TEMPLATE {template}")
    async with playing() as game:
        settings = {
            "RECON_DATABASE_URL": server.service_dsn_for("contract_api"),
            "RECON_RECONCILE_EVERY": "off",
            "RECON_GRACE_PERIOD": "1s",
            **PSPS,
            **game.settings,
        }
        recon = Recon(settings, tmp_path_factory.mktemp("contract"))
        try:
            service = await recon.start("serve", "--port", "0", "--json")
            async with calling(recon, service, *SCOPES) as api, sending(service.url) as psp:
                yield World(recon, service, game, psp, api)
            code, out, said = await recon.run("verify", "--json")
            assert (code, json.loads(out)["faults"]) == (0, []), said
        finally:
            game.broken.clear()
            await recon.stop_all()
            await administrator.execute("DROP DATABASE contract_api WITH (FORCE)")
            await administrator.close()


@asynccontextmanager
async def another(world: World, name: str, scope: str) -> AsyncIterator[Api]:
    """A caller of another name, with one scope."""
    made = await world.recon.json("keys", "create", "--name", name, "--scope", scope)
    assert set(made) == {"key_id", "key", "scopes", "expires_at"}
    headers = {"Authorization": f"Bearer {made['key']}"}
    async with aiohttp.ClientSession(world.service.url, headers=headers) as session:
        yield Api(session)


@pytest.fixture(autouse=True)
async def _mended(world: World) -> AsyncIterator[None]:
    yield
    world.game.hang.set()
    world.game.hang = asyncio.Event()
    world.game.broken.clear()
    world.game.payout_status = "completed"
    await world.in_touch()


# --- bets ----------------------------------------------------------------------------------------


async def test_a_bet_is_201_and_its_completed_cashout_200_with_the_payout_booked(
    world: World,
) -> None:
    await world.fund("b1", "50.00")
    status, bet = await world.bet("b1")
    assert (status, bet["state"]) == (201, "placed")
    assert set(bet) >= {"bet_id", "ticket_id", "state"}
    assert await world.wallet("b1") == ("45.00", "0.00")

    status, out = await world.api.post(f"/api/v1/bets/{bet['bet_id']}/cashout", {})
    assert (status, out["state"], out["payout"]) == (200, "cashed_out", "10.00")
    assert await world.wallet("b1") == ("55.00", "0.00")


async def test_a_cashout_is_202_and_the_wallet_waits_until_the_payout_is_definitive(
    world: World,
) -> None:
    await world.fund("b2", "50.00")
    world.game.payout_status = "pending"
    _, bet = await world.bet("b2")
    status, out = await world.api.post(f"/api/v1/bets/{bet['bet_id']}/cashout", {})
    assert (status, out["state"]) == (202, "cashing_out")
    assert await world.wallet("b2") == ("45.00", "0.00")

    world.game.complete(world.game.tickets[bet["ticket_id"]]["payout_transaction_id"])
    await world.settled(bet["bet_id"], "cashed_out")
    assert await world.wallet("b2") == ("55.00", "0.00")
    status, _ = await world.api.post(f"/api/v1/bets/{bet['bet_id']}/cashout", {})
    assert status == 200


async def test_a_closed_round_is_409_and_too_little_money_422_and_both_free_the_stake(
    world: World,
) -> None:
    await world.fund("b3", "5.00")
    status, problem = await world.bet("b3", "5.01")
    assert (status, problem["code"]) == (422, "insufficient_balance")
    status, problem = await world.bet("b3", "5.00", round_id="r_old")
    assert (status, problem["code"]) == (409, "round_closed")
    world.game.set("b3", "1.00")  # the game has less than we do
    status, problem = await world.bet("b3", "5.00")
    assert (status, problem["code"]) == (422, "insufficient_balance")
    assert await world.wallet("b3") == ("5.00", "0.00")


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 5.0}, {"amount": 5}, {"amount": "0.00"}, {"amount": "-1.00"},
        {"amount": "1.001"}, {"currency": "ZZZ"}, {"auto_cashout": 1}, {"round_id": ""},
        {"user_id": ""}, {"user_id": 7}, {"more": 1},
    ],
)  # fmt: skip
async def test_a_wish_for_a_bet_that_cannot_be_meant_is_400(
    world: World, change: dict[str, Any]
) -> None:
    wish = {"user_id": "b4", "round_id": "r_77", "amount": "1.00", "currency": "GBP", **change}
    before = len(world.game.seen("POST", "/api/v1/bets"))
    status, problem = await world.api.post("/api/v1/bets", wish)
    assert (status, problem["status"]) == (400, 400)
    assert len(world.game.seen("POST", "/api/v1/bets")) == before


async def test_a_bet_is_202_with_the_stake_held_while_the_game_hangs_and_is_found_later(
    world: World,
) -> None:
    await world.fund("b5", "50.00")
    world.game.broken["POST /api/v1/bets/holds"] = "hang"
    status, bet = await world.bet("b5")
    assert (status, bet["state"]) == (202, "placing")
    assert await world.wallet("b5") == ("45.00", "5.00")

    world.game.hang.set()
    world.game.broken.clear()
    await world.settled(bet["bet_id"], "placed")
    assert await world.wallet("b5") == ("45.00", "0.00")
    assert [h["status"] for h in world.game.holds.values() if h["user_id"] == "b5"] == ["confirmed"]


async def test_an_answer_lost_after_its_effect_is_asked_for_and_never_bets_twice(
    world: World,
) -> None:
    await world.fund("b6", "50.00")
    world.game.broken["POST /api/v1/bets/holds"] = "lost"
    status, bet = await world.bet("b6")
    assert (status, bet["state"]) == (202, "placing")
    world.game.broken.clear()
    bet = await world.settled(bet["bet_id"], "placed")

    world.game.broken[f"POST /api/v1/bets/{bet['ticket_id']}/cashout"] = "lost"
    status, _ = await world.api.post(f"/api/v1/bets/{bet['bet_id']}/cashout", {})
    assert status == 202
    world.game.broken.clear()
    await world.settled(bet["bet_id"], "cashed_out")

    assert await world.wallet("b6") == ("55.00", "0.00")
    assert len([h for h in world.game.holds.values() if h["user_id"] == "b6"]) == 1
    assert len(world.game.seen("GET", "/api/v1/bets?idempotency_key=")) >= 1


async def test_bets_at_once_never_take_a_wallet_below_zero(world: World) -> None:
    await world.fund("b7", "10.00")
    answers = await asyncio.gather(*(world.bet("b7", "3.00") for _ in range(8)))
    assert sorted(status for status, _ in answers) == [201] * 3 + [422] * 5
    assert await world.wallet("b7") == ("1.00", "0.00")


async def test_a_bet_of_a_round_that_ended_is_lost_or_void_as_the_game_says(world: World) -> None:
    await world.fund("b8", "50.00")
    (_, lost), (_, void) = await world.bet("b8"), await world.bet("b8")
    world.game.tickets[lost["ticket_id"]]["status"] = "lost"
    world.game.tickets[void["ticket_id"]]["status"] = "void"
    world.game.add("b8", "5.00")
    world.game.next_round()

    await world.settled(lost["bet_id"], "lost")
    await world.settled(void["bet_id"], "void")
    assert await world.wallet("b8") == ("45.00", "0.00")
    status, _ = await world.api.post(f"/api/v1/bets/{lost['bet_id']}/cashout", {})
    assert status == 409


# --- the game's state ----------------------------------------------------------------------------


async def test_game_state_is_503_degraded_since_while_the_game_is_down_and_ready_stays(
    world: World,
) -> None:
    status, state = await world.api.get("/api/v1/game/state")
    assert (status, state["status"]) == (200, "betting")
    world.game.broken["GET /api/v1/game/state"] = 503
    since = []
    for _ in range(2):
        async with world.api.session.get("/api/v1/game/state") as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert answer.status == 503
            assert int(answer.headers["Retry-After"]) >= 1
        assert problem["degraded"] is True
        since.append(problem["since"])
    assert since[0] == since[1]
    async with world.api.session.get("/readyz") as ready:
        assert ready.status == 200

    world.game.broken.clear()
    await world.in_touch()
    await world.fund("d1", "10.00")
    assert (await world.bet("d1"))[0] == 201


# --- idempotency, ids, pages ---------------------------------------------------------------------


async def test_the_same_key_at_once_runs_once_and_the_others_hear_409(world: World) -> None:
    await world.fund("k1", "10.00")
    wish = {"user_id": "k1", "round_id": world.game.open_round, "amount": "1.00",
            "currency": "GBP", "auto_cashout": None}  # fmt: skip
    answers = await asyncio.gather(
        *(world.api.post("/api/v1/bets", wish, key="k1-bet") for _ in range(6))
    )
    made = {body["bet_id"] for status, body in answers if status == 201}
    running = {body["code"] for status, body in answers if status == 409}
    assert len(made) == 1, answers
    assert running <= {"idempotency_in_progress"}
    assert (await world.wallet("k1"))[0] == "9.00"

    headers = {"Idempotency-Key": "k1-bet"}
    async with world.api.session.post("/api/v1/bets", json=wish, headers=headers) as again:
        assert (again.status, again.headers["Idempotency-Replayed"]) == (201, "true")
        assert {(await again.json())["bet_id"]} == made
    status, problem = await world.api.post("/api/v1/bets", wish | {"amount": "2.00"}, key="k1-bet")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


async def test_every_post_wants_an_idempotency_key(world: World) -> None:
    nothing = "00000000-0000-0000-0000-000000000000"
    for path in (
        "payments", "bets", f"bets/{nothing}/cashout", "reconciliation/runs",
        f"discrepancies/{nothing}/assign", f"discrepancies/{nothing}/comment",
        f"discrepancies/{nothing}/ignore", f"discrepancies/{nothing}/recheck",
        f"discrepancies/{nothing}/adjustments", f"adjustments/{nothing}/approve",
        f"adjustments/{nothing}/reject", f"webhooks/{nothing}/replay",
    ):  # fmt: skip
        async with world.api.session.post(f"/api/v1/{path}", json={}) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"]) == (400, "idempotency_key_missing"), path


async def test_every_call_wants_its_own_scope(world: World) -> None:
    nothing = "00000000-0000-0000-0000-000000000000"
    calls = {
        "read:bet": ["POST payments", "GET payments/x", "POST bets", f"POST bets/{nothing}/cashout",
                     "GET wallets/x", "GET wallets/x/entries", "GET game/state",
                     "POST reconciliation/runs", "GET reconciliation/runs", "GET discrepancies",
                     f"GET reconciliation/runs/{nothing}", f"GET discrepancies/{nothing}",
                     f"POST discrepancies/{nothing}/assign", "GET webhooks",
                     f"POST adjustments/{nothing}/approve", f"POST webhooks/{nothing}/replay"],
        "read:wallet": [f"GET bets/{nothing}"],
    }  # fmt: skip
    for scope, refused in calls.items():
        async with another(world, scope.replace(":", "-"), scope) as api:
            for call in refused:
                verb, path = call.split()
                headers = {"Idempotency-Key": f"scope-{call}"}
                url = f"/api/v1/{path}"
                async with api.session.request(verb, url, headers=headers, json={}) as answer:
                    code = (await answer.json(content_type=None))["code"]
                    assert (answer.status, code) == (403, "insufficient_scope"), call


async def test_lists_page_by_a_cursor_and_a_link_to_the_end(world: World) -> None:
    for number in range(5):
        await world.psp.deposit(f"pg{number}", "pg", "1.00")
    seen: list[tuple[int, str]] = []
    path = "/api/v1/wallets/pg/entries?currency=GBP&limit=2"
    while path:
        async with world.api.session.get(path) as answer:
            page = await answer.json()
            path = str(answer.links["next"]["url"]) if "next" in answer.links else ""
        assert (page["next_cursor"] is None) == (path == "")
        seen += [(one["version"], one["available_after"]) for one in page["items"]]
    assert seen == [(n, f"{n}.00") for n in (5, 4, 3, 2, 1)]


async def test_a_wallet_is_shown_as_of_any_instant(world: World) -> None:
    for number in range(3):
        await world.psp.deposit(f"at{number}", "at", "1.00")
    _, page = await world.api.get("/api/v1/wallets/at/entries?currency=GBP")
    for entry in page["items"]:
        path = f"/api/v1/wallets/at?currency=GBP&at={entry['recorded_at']}"
        _, then = await world.api.get(path)
        assert (then["available"], then["version"]) == (entry["available_after"], entry["version"])
    status, _ = await world.api.get("/api/v1/wallets/at?currency=GBP&at=2020-01-01T00:00:00Z")
    assert status == 404
    for at in ("yesterday", "2026-01-01T00:00:00"):  # a time always has a zone
        status, problem = await world.api.get(f"/api/v1/wallets/at?currency=GBP&at={at}")
        assert (status, problem["code"]) == (400, "invalid_time")


async def test_an_answer_has_the_callers_request_id_and_trace_and_what_is_left(
    world: World,
) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    headers = {"X-Request-Id": "rid-1", "traceparent": trace}
    await world.psp.deposit("hd1", "hd", "1.00")
    async with world.api.session.get("/api/v1/wallets/hd?currency=GBP", headers=headers) as answer:
        assert answer.headers["X-Request-Id"] == "rid-1"
        assert answer.headers["traceparent"].split("-")[1] == trace.split("-")[1]
        # A key that may place bets has a quota of its own.
        assert answer.headers["RateLimit-Policy"].startswith('"bets";q=')
        assert answer.headers["RateLimit"].startswith('"bets";r=')
    unfit = {"X-Request-Id": "not fit for a log"}
    async with world.api.session.get("/api/v1/nothing", headers=unfit) as answer:
        problem = await answer.json(content_type="application/problem+json")
        assert problem["request_id"] == answer.headers["X-Request-Id"] != unfit["X-Request-Id"]


async def test_nobody_without_a_key_gets_in(world: World) -> None:
    async with aiohttp.ClientSession(world.service.url) as session:
        for given in (
            {"Accept": "*/*"},
            {"Authorization": "Basic x"},
            {"Authorization": "Bearer rk_x"},
        ):
            async with session.get("/api/v1/wallets/b1?currency=GBP", headers=given) as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"amount": 1}, 400), ({"amount": 1.0}, 400), ({"amount": "1e2"}, 400),
        ({"amount": "0.00"}, 400), ({"amount": "1.001"}, 400), ({"currency": "gbp"}, 400),
        ({"direction": "up"}, 400), ({"endpoint": "nobody"}, 422), ({"user_id": "~x"}, 400),
        ({"user_id": "a\x00"}, 400), ({"reference": "a:b"}, 400), ({"reference": ""}, 400),
    ],
)  # fmt: skip
async def test_a_payment_that_cannot_be_meant_is_not_registered(
    world: World, change: dict[str, Any], status: int
) -> None:
    wish = {"reference": "never", "endpoint": "bank", "direction": "deposit", "user_id": "u",
            "amount": "1.00", "currency": "GBP", **change}  # fmt: skip
    got, problem = await world.api.post("/api/v1/payments", wish)
    assert (got, problem["status"]) == (status, status)
    assert (await world.api.get("/api/v1/payments/never"))[0] == 404


async def test_metrics_name_no_player_and_no_id_of_a_bet(world: World) -> None:
    await world.fund("player-of-metrics", "5.00")
    _, bet = await world.bet("player-of-metrics")
    await world.api.get("/api/v1/wallets/player-of-metrics?currency=GBP")
    async with world.api.session.get("/metrics") as answer:
        text = await answer.text()
    assert "recon_http_requests_total" in text
    assert "player-of-metrics" not in text
    assert bet["bet_id"] not in text


# --- review --------------------------------------------------------------------------------------


async def test_an_adjustment_is_booked_when_another_principal_approves(world: World) -> None:
    await world.psp.deposit("adj1", "adj", "50.00")
    world.game.set("adj", "61.00")
    status, run = await world.api.post(
        "/api/v1/reconciliation/runs", {"scope": "users", "users": ["adj"]}
    )
    assert status == 201
    await world.api.until(f"/api/v1/reconciliation/runs/{run['run_id']}", "state", "finished")
    _, page = await world.api.get("/api/v1/discrepancies?user_id=adj")
    (found,) = page["items"]
    path = f"/api/v1/discrepancies/{found['discrepancy_id']}"
    status, proposed = await world.api.post(
        f"{path}/adjustments", {"amount": "11.00", "reason": "a deposit of the old system"}
    )
    assert status == 201
    approve = f"/api/v1/adjustments/{proposed['adjustment_id']}/approve"
    assert (await world.api.post(approve, {}))[0] == 403
    assert (await world.api.get(path))[1]["status"] == "awaiting_approval"
    assert (await world.wallet("adj"))[0] == "50.00"

    async with another(world, "approver", "write:discrepancy") as other:
        assert (await other.post(approve, {}))[0] == 200
        assert (await other.post(approve, {}))[0] == 409
    assert (await world.wallet("adj"))[0] == "61.00"


async def test_a_suspended_delivery_is_booked_by_a_replay_once_its_payment_is_registered(
    world: World,
) -> None:
    await world.psp.deposit("rep1", None, "9.00", reference="rep-ref")
    _, page = await world.api.get("/api/v1/webhooks?state=suspended")
    (kept,) = [one for one in page["items"] if one["payment_id"] == "rep1"]
    replay = f"/api/v1/webhooks/{kept['delivery_id']}/replay"
    assert (await world.api.post(replay, {}))[1]["state"] == "suspended"
    wish = {"reference": "rep-ref", "endpoint": "bank", "direction": "deposit",
            "user_id": "rep", "amount": "9.00", "currency": "GBP"}  # fmt: skip
    assert (await world.api.post("/api/v1/payments", wish))[0] == 201
    for _ in range(2):
        status, after = await world.api.post(replay, {})
        assert (status, after["state"]) == (200, "booked")
    assert (await world.wallet("rep"))[0] == "9.00"
