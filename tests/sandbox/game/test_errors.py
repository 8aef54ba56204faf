"""Every code of the page's table, each with its status and the shape of all errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.sandbox.game.conftest import Reply, World

HOLDS = "/api/v1/bets/holds"
GOOD = {"amount": "10.00", "currency": "GBP", "auto_cashout": None}


def refused_as(reply: Reply, status: int, code: str) -> None:
    assert (reply.status, reply.code) == (status, code), reply.text
    assert sorted(reply.json) == ["code", "message", "request_id"]
    assert reply.json["message"]
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]
    assert reply.headers["Content-Type"] == "application/json"


async def test_a_missing_or_unknown_key_is_invalid_api_key(world: World) -> None:
    refused_as(await world.call("GET", "/api/v1/game/state", api_key=""), 401, "invalid_api_key")
    refused_as(
        await world.call("GET", "/api/v1/game/state", api_key="ck_live_x"), 401, "invalid_api_key"
    )


async def test_a_revoked_key_gets_401_at_once(world: World) -> None:
    assert (await world.get("/api/v1/game/state")).status == 200

    await world.call("DELETE", "/sandbox/keys/k_1")

    refused_as(await world.get("/api/v1/game/state"), 401, "invalid_api_key")


@pytest.mark.parametrize(
    ("scope", "path", "user"),
    [
        ("read:game_state", "/api/v1/game/state", None),
        ("read:game_state", "/api/v1/game/rounds", None),
        ("read:balance", "/api/v1/user/balance?currency=GBP", "u_1"),
        ("read:bet", "/api/v1/bets?idempotency_key=k", "u_1"),
    ],
)
async def test_a_call_outside_the_scopes_is_insufficient_scope(
    world: World, scope: str, path: str, user: str | None
) -> None:
    others = {"read:game_state", "read:balance", "read:bet", "write:bet"} - {scope}
    without = await world.call(
        "POST", "/sandbox/keys", body=json.dumps({"scopes": sorted(others)}).encode()
    )
    alone = await world.call("POST", "/sandbox/keys", body=f'{{"scopes":["{scope}"]}}'.encode())

    refused_as(
        await world.call("GET", path, user=user, api_key=without.json["api_key"]),
        403,
        "insufficient_scope",
    )
    taken = await world.call("GET", path, user=user, api_key=alone.json["api_key"])
    assert taken.status == 200


async def test_betting_needs_write_bet(world: World) -> None:
    made = await world.call("POST", "/sandbox/keys", body=b'{"scopes":["read:bet"]}')

    reply = await world.post(
        HOLDS, {}, api_key=made.json["api_key"], secret=made.json["signing_secret"]
    )

    refused_as(reply, 403, "insufficient_scope")


async def test_a_call_for_a_player_needs_one_whom_the_key_may_act_for(world: World) -> None:
    made = await world.call(
        "POST", "/sandbox/keys", body=b'{"scopes":["read:balance"],"users":["u_9"]}'
    )
    path = "/api/v1/user/balance?currency=GBP"

    refused_as(await world.get(path), 400, "bad_request")
    refused_as(await world.get(path, user="u_nobody"), 404, "user_not_found")
    refused_as(
        await world.call("GET", path, user="u_1", api_key=made.json["api_key"]),
        403,
        "user_not_allowed",
    )
    await world.call("PUT", "/sandbox/users/u_1", body=b'{"allowed":false}')
    refused_as(await world.get(path, user="u_1"), 403, "user_not_allowed")


async def test_an_unknown_path_or_method_is_not_found(world: World) -> None:
    refused_as(await world.get("/api/v1/nothing"), 404, "not_found")
    wrong = await world.call("DELETE", "/api/v1/game/state")
    refused_as(wrong, 404, "not_found")
    assert "GET" in wrong.headers["Allow"]
    refused_as(await world.call("GET", "/api/v1/nothing", api_key="ck_x"), 401, "invalid_api_key")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/bets/t_none",
        "/api/v1/payouts/tx_none",
        "/api/v1/game/rounds/r_none",
    ],
)
async def test_what_there_is_not_is_not_found(world: World, path: str) -> None:
    refused_as(await world.get(path, user="u_1"), 404, "not_found")


async def test_another_players_bet_is_not_found(world: World) -> None:
    world.player("u_2")
    await world.next_round(300)
    bet = await world.bet(user="u_1", auto="1.50")
    held = await world.hold(user="u_1")
    await world.until("payout")
    own = await world.get(f"/api/v1/bets/{bet['ticket_id']}", user="u_1")
    paid = own.json["payout_transaction_id"]

    for path in (f"/api/v1/bets/{bet['ticket_id']}", f"/api/v1/payouts/{paid}"):
        assert (await world.get(path, user="u_1")).status == 200
        refused_as(await world.get(path, user="u_2"), 404, "not_found")
    path = f"/api/v1/bets/holds/{held.json['hold_id']}/release"
    refused_as(await world.post(path, user="u_2"), 404, "not_found")


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a":1} x', b"\xff", b'{"auto_cashout":1e99999999999999999999}']
)
async def test_a_body_that_is_no_json_is_a_bad_request(world: World, body: bytes) -> None:
    refused_as(await world.post(HOLDS, body or b" "), 400, "bad_request")


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 10},
        {"amount": 10.5},
        {"amount": "10.001"},
        {"amount": "0.00"},
        {"amount": "-1.00"},
        {"amount": "1e3"},
        {"amount": None},
        {"currency": "gbp"},
        {"currency": "XXX1"},
        {"currency": 5},
        {"round_id": 7},
        {"round_id": ""},
        {"auto_cashout": "2.50"},
        {"auto_cashout": True},
        {"auto_cashout": 1},
        {"auto_cashout": 0.5},
        {"auto_cashout": 2.505},
        {"auto_cashout": 10**30},
    ],
)
async def test_a_field_that_is_not_as_specified_fails_validation(
    world: World, change: dict[str, Any]
) -> None:
    body = {"round_id": (await world.state())["round_id"], **GOOD, **change}

    refused_as(await world.post(HOLDS, body), 400, "validation_failed")
    assert await world.balance() == ("100.00", "0.00")


@pytest.mark.parametrize("missing", ["round_id", "amount", "currency", "auto_cashout"])
async def test_every_field_of_a_hold_is_required(world: World, missing: str) -> None:
    body = {"round_id": (await world.state())["round_id"], **GOOD}
    del body[missing]

    refused_as(await world.post(HOLDS, body), 400, "validation_failed")


async def test_a_body_that_is_no_object_fails_validation(world: World) -> None:
    refused_as(await world.post(HOLDS, b"[]"), 400, "validation_failed")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/game/rounds?limit=0",
        "/api/v1/game/rounds?limit=201",
        "/api/v1/game/rounds?limit=many",
        "/api/v1/game/rounds?before=r_none",
        "/api/v1/user/balance",
        "/api/v1/user/balance?currency=gbp",
        "/api/v1/bets",
    ],
)
async def test_a_query_that_is_not_as_specified_fails_validation(world: World, path: str) -> None:
    refused_as(await world.get(path, user="u_1"), 400, "validation_failed")


async def test_a_signed_call_without_an_idempotency_key_is_refused(world: World) -> None:
    reply = await world.call("POST", HOLDS, user="u_1", body=b"{}")

    refused_as(reply, 400, "idempotency_key_missing")


@pytest.mark.parametrize("key", ["x" * 256, "two words"])
async def test_an_idempotency_key_that_cannot_be_kept_is_refused(world: World, key: str) -> None:
    refused_as(await world.post(HOLDS, {}, key=key), 400, "bad_request")


async def test_bets_are_taken_only_while_the_round_is_betting(world: World) -> None:
    await world.next_round(200)
    held = await world.hold()
    round_id = held.json["round_id"]
    await world.until("active")

    late = await world.post(HOLDS, {"round_id": round_id, **GOOD})
    refused_as(late, 409, "round_closed")
    confirm = await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/confirm")
    refused_as(confirm, 409, "round_closed")
    unknown = await world.post(HOLDS, {"round_id": "r_none", **GOOD})
    refused_as(unknown, 404, "not_found")


async def test_a_stake_must_fit_the_wallet(world: World) -> None:
    round_id = (await world.state())["round_id"]

    much = await world.post(HOLDS, {"round_id": round_id, **GOOD, "amount": "100.01"})
    refused_as(much, 422, "insufficient_balance")
    euros = await world.post(HOLDS, {"round_id": round_id, **GOOD, "currency": "EUR"})
    refused_as(euros, 422, "currency_mismatch")
    asked = await world.get("/api/v1/user/balance?currency=EUR", user="u_1")
    refused_as(asked, 422, "currency_mismatch")


async def test_a_cash_out_needs_a_flying_round_and_an_active_bet(world: World) -> None:
    await world.next_round(300)
    bet = await world.bet()
    path = f"/api/v1/bets/{bet['ticket_id']}/cashout"

    refused_as(await world.post(path), 409, "bet_not_active")
    await world.until("active")
    assert (await world.post(path)).status == 200
    refused_as(await world.post(path), 409, "bet_not_active")
    await world.until("betting")
    lost = await world.bet()
    await world.until("crashed")
    refused_as(await world.post(f"/api/v1/bets/{lost['ticket_id']}/cashout"), 409, "bet_not_active")
    refused_as(await world.post("/api/v1/bets/t_none/cashout"), 404, "not_found")


async def test_a_cash_out_below_the_bets_own_target_is_refused(world: World) -> None:
    await world.next_round(300)
    bet = await world.bet(auto="2.00")
    await world.until("active")

    path = f"/api/v1/bets/{bet['ticket_id']}/cashout"
    refused_as(await world.post(path), 409, "below_auto_cashout")


async def test_the_rate_limit_counts_per_key_and_renews(
    worlds: Callable[..., Awaitable[World]],
) -> None:
    world = await worlds(rate_limit=3, rate_window_s=10.0)
    made = await world.call("POST", "/sandbox/keys", body=b'{"scopes":["read:game_state"]}')

    replies = [await world.get("/api/v1/game/state") for _ in range(4)]

    assert [reply.headers["X-RateLimit-Remaining"] for reply in replies] == ["2", "1", "0", "0"]
    assert {reply.headers["X-RateLimit-Limit"] for reply in replies} == {"3"}
    refused_as(replies[3], 429, "rate_limited")
    assert replies[3].headers["Retry-After"] == "10"
    world.clock.turn(4)
    waiting = await world.get("/api/v1/game/state")
    assert waiting.headers["X-RateLimit-Reset"] == waiting.headers["Retry-After"] == "6"
    other = await world.call("GET", "/api/v1/game/state", api_key=made.json["api_key"])
    assert other.status == 200
    world.clock.turn(6)
    assert (await world.get("/api/v1/game/state")).status == 200


async def test_a_request_id_is_echoed_or_made(world: World) -> None:
    echoed = await world.call("GET", "/api/v1/game/state", headers={"X-Request-Id": "mine-1"})
    made = await world.get("/api/v1/game/state")
    odd = await world.call("GET", "/api/v1/game/state", headers={"X-Request-Id": "a b"})

    assert echoed.headers["X-Request-Id"] == "mine-1"
    assert made.headers["X-Request-Id"].startswith("req_")
    assert odd.headers["X-Request-Id"].startswith("req_")


async def test_a_compressed_or_huge_body_is_a_bad_request(world: World) -> None:
    headers = world.signed_headers(HOLDS, b"{}", user="u_1", key="k")
    packed = await world.call(
        "POST", HOLDS, user="u_1", headers=headers | {"Content-Encoding": "gzip"}, body=b"{}"
    )

    refused_as(packed, 400, "bad_request")
    refused_as(await world.post(HOLDS, b" " * (1024 * 1024 + 1)), 400, "bad_request")
