"""The internal API's rulings: scopes, shapes, codes, idempotency; gauges of unsettled bets."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY

from recon.bets.by_hand.handlers import routes
from recon.bets.handlers import routes as bet_routes
from recon.bets.measure import refresh_bet_gauges
from recon.clock import new_id
from recon.db import POOL
from recon.http import Scope
from recon.http.keys import create_key
from recon.http.openapi import openapi_document
from recon.http.problems import problem_middleware
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from tests.bets.conftest import open_world
from tests.bets.ruling import LOST, approve, failed_payout, propose, wish
from tests.bets.test_for_people import in_play

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from tests.bets.conftest import World

ANA = (Scope.READ_DISCREPANCY, Scope.WRITE_DISCREPANCY, Scope.READ_BET)


@dataclass
class Api:
    client: TestClient[web.Request, web.Application]
    pool: Pool

    async def key(self, name: str, *scopes: Scope) -> str:
        return (await create_key(self.pool, name=name, scopes=scopes or ANA, lifetime=None)).key

    async def post(
        self, path: str, body: object, key: str, *, intent: str | None = None
    ) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": intent or str(new_id())}
        answer = await self.client.post(f"/api/v1{path}", json=body, headers=headers)
        return answer.status, await answer.json()

    async def get(self, path: str, key: str) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        answer = await self.client.get(f"/api/v1{path}", headers=headers)
        return answer.status, await answer.json()


@pytest.fixture
async def world(pool: Pool) -> AsyncIterator[World]:
    async with open_world(pool) as opened:
        # The handlers live by the machine's clock.
        opened.clock.ticking = True
        yield opened


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    app = web.Application(middlewares=[problem_middleware])
    app[POOL] = world.pool
    app[LIMITER] = RateLimiter(1000, 60)
    app[FAILURES] = RateLimiter(1000, 60)
    app.add_routes([*bet_routes, *routes])
    async with TestClient(TestServer(app)) as client:
        yield Api(client, world.pool)


PAID = {
    "outcome": "cashed_out",
    "payout": "12.00",
    "currency": "GBP",
    "payout_transaction_id": "tx_9",
    "reason": "they paid it by hand",
    "evidence": "SUP-4711",
}


async def test_a_bet_that_waits_is_listed_ruled_on_and_approved_by_another(
    world: World, api: Api
) -> None:
    bet = await failed_payout(world)
    ana, leo = await api.key("ana"), await api.key("leo")

    status, page = await api.get("/bets?waiting_for=people", ana)
    (waiting,) = page["items"]
    assert (status, waiting["bet_id"], waiting["rests"], waiting["amount"]) == (
        200,
        str(bet.bet_id),
        True,
        "10.00",
    )
    assert waiting["case_reason"].startswith("payout ")
    status, proposed = await api.post(f"/bets/{bet.bet_id}/rulings", PAID, ana)
    assert (status, proposed["state"], proposed["proposed_by"]) == (201, "proposed", "ana")
    assert (await api.get("/bets", ana))[1]["items"][0]["ruling_id"] == proposed["ruling_id"]
    path = f"/rulings/{proposed['ruling_id']}"
    assert (await api.post(f"{path}/approve", {}, ana))[0] == 403
    status, booked = await api.post(f"{path}/approve", {"reason": "seen it"}, leo)

    assert (status, booked["state"], booked["decided_by"]) == (200, "booked", "leo")
    assert set(booked) == {
        *("ruling_id", "bet_id", "user_id", "outcome", "payout", "currency", "ticket_id"),
        *("payout_transaction_id", "reason", "evidence", "standing", "state", "moved"),
        *("proposed_by", "proposed_at", "decided_by", "decided_at", "decision_reason"),
    }
    assert await api.get(path, ana) == (200, booked)
    assert (await api.get(f"/rulings?state=booked&bet_id={bet.bet_id}", ana))[1]["items"] == [
        booked
    ]
    _, shown = await api.get(f"/bets/{bet.bet_id}", ana)
    assert (shown["state"], shown["payout"], shown["reason"]) == (
        "cashed_out",
        "12.00",
        "settled_by_hand",
    )
    assert (await api.get("/bets", ana))[1]["items"] == []


async def test_each_refusal_has_its_code(world: World, api: Api) -> None:
    ana, leo = await api.key("ana"), await api.key("leo")
    young = await in_play(world)
    path = f"/bets/{young.bet_id}/rulings"
    lost = {"outcome": "lost", "reason": "r", "evidence": "e"}
    asked: list[tuple[str, object, str, int, str]] = [
        (path, lost, ana, 409, "bet_not_for_people"),
        (f"/bets/{new_id()}/rulings", lost, ana, 404, "bet_not_found"),
        ("/bets/none/rulings", lost, ana, 404, "bet_not_found"),
        (f"/rulings/{new_id()}/approve", {}, leo, 404, "ruling_not_found"),
        ("/rulings/none/reject", {"reason": "no"}, leo, 404, "ruling_not_found"),
        (path, {**lost, "reason": "  "}, ana, 400, "validation_failed"),
        (path, {**lost, "evidence": ""}, ana, 400, "validation_failed"),
        (path, {**lost, "outcome": "placed"}, ana, 400, "validation_failed"),
        (path, {**PAID, "payout": 12.0}, ana, 400, "validation_failed"),
        (path, {**lost, "ticket_id": " t"}, ana, 400, "validation_failed"),
    ]
    bet = await failed_payout_of_another(world)
    path = f"/bets/{bet}/rulings"
    asked += [
        (path, {**PAID, "payout": "-1.00"}, ana, 400, "invalid_amount"),
        (path, {**PAID, "currency": "EUR"}, ana, 422, "currency_mismatch"),
        (path, {**PAID, "payout": "1" + "0" * 30}, ana, 422, "payout_too_large"),
    ]
    for where, body, key, status, code in asked:
        found, problem = await api.post(where, body, key)
        assert (found, problem["code"]) == (status, code), where
    status, ruling = await api.post(path, lost, ana)
    assert status == 201
    for where, body, key, code in (
        (path, lost, leo, "ruling_already_proposed"),
        (f"/rulings/{ruling['ruling_id']}/approve", {}, ana, "self_approval"),
    ):
        _, problem = await api.post(where, body, key)
        assert problem["code"] == code
    await api.post(f"/rulings/{ruling['ruling_id']}/reject", {"reason": "no"}, leo)
    status, problem = await api.post(f"/rulings/{ruling['ruling_id']}/approve", {}, leo)
    assert (status, problem["code"]) == (409, "ruling_decided")
    for query in ("/rulings?state=none", "/rulings?bet_id=none", "/bets?waiting_for=godot"):
        status, problem = await api.get(query, ana)
        assert (status, problem["code"]) == (400, "invalid_filter")


async def failed_payout_of_another(world: World) -> object:
    await world.deposit("100.00", "u_2")
    bet = await world.place(world.wish(user="u_2"))
    await world.pool.execute(
        "UPDATE bets SET state = 'cashing_out', due_at = NULL WHERE bet_id = $1", bet.bet_id
    )
    return bet.bet_id


async def test_a_repeat_gets_the_stored_answer_and_another_body_422(world: World, api: Api) -> None:
    bet = await failed_payout(world)
    ana, leo = await api.key("ana"), await api.key("leo")
    path = f"/bets/{bet.bet_id}/rulings"

    first = await api.post(path, PAID, ana, intent="k-1")
    assert await api.post(path, PAID, ana, intent="k-1") == first
    other = await api.post(path, {**PAID, "payout": "13.00"}, ana, intent="k-1")
    assert (other[0], other[1]["code"]) == (422, "idempotency_key_reused")
    # Whoever answered it died before the answer was stored.
    await world.pool.execute("DELETE FROM api_requests")
    assert await api.post(path, PAID, ana, intent="k-1") == first
    approve_path = f"/rulings/{first[1]['ruling_id']}/approve"
    answers = await asyncio.gather(
        *(api.post(approve_path, {}, leo, intent="k-2") for _ in range(4))
    )
    await world.pool.execute("DELETE FROM api_requests")
    again = await api.post(approve_path, {}, leo, intent="k-2")

    assert {status for status, _ in answers} <= {200, 409}
    assert {body.get("code", "") for _, body in answers} <= {"", "idempotency_in_progress"}
    assert (again[0], again[1]["state"]) == (200, "booked")
    assert await world.ledger() == ("102.00", "0.00")


async def test_who_may_bet_may_not_rule(world: World, api: Api) -> None:
    bet = await failed_payout(world)
    lobby = await api.key("lobby", Scope.WRITE_BET, Scope.READ_BET)
    reader = await api.key("reader", Scope.READ_DISCREPANCY)

    for key in (lobby, reader):
        status, problem = await api.post(f"/bets/{bet.bet_id}/rulings", PAID, key)
        assert (status, problem["code"]) == (403, "insufficient_scope")
    assert (await api.get("/bets", lobby))[0] == 403
    assert (await api.get("/rulings", reader))[0] == 200


async def test_openapi_describes_all_of_it(api: Api) -> None:
    document = openapi_document(api.client.server.app)  # type: ignore[attr-defined] # a TestServer

    assert {path for path in document["paths"] if "ruling" in path} == {
        "/api/v1/bets/{bet_id}/rulings",
        "/api/v1/rulings",
        "/api/v1/rulings/{ruling_id}",
        "/api/v1/rulings/{ruling_id}/approve",
        "/api/v1/rulings/{ruling_id}/reject",
    }


async def test_what_is_ruled_on_counts_as_unsettled_no_more(world: World) -> None:
    bet = await failed_payout(world)
    world.clock.passed_s += 60
    await refresh_bet_gauges(world.pool, now=world.clock.now)
    assert gauges("cashing_out")[:2] == (1, 1)
    assert gauges("cashing_out")[2] > 60

    await approve(world, await propose(world, bet, wish(LOST)))
    await refresh_bet_gauges(world.pool, now=world.clock.now)

    assert gauges("cashing_out") == (0, 0, 0)


def gauges(state: str) -> tuple[float, float, float]:
    """Unsettled in a state, for people, and the age of the oldest in seconds."""
    found = (
        REGISTRY.get_sample_value("recon_bets_unsettled", {"state": state}),
        REGISTRY.get_sample_value("recon_bets_for_people"),
        REGISTRY.get_sample_value("recon_bets_oldest_unsettled_seconds"),
    )
    assert None not in found
    return tuple(value or 0.0 for value in found)  # type: ignore[return-value] # three of them
