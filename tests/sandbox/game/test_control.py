"""The control surface and the command."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession
from click.testing import CliRunner

from recon.cli.sandbox import sandbox

if TYPE_CHECKING:
    from tests.sandbox.game.conftest import World

COMMAND = [sys.executable, "-c", "from recon.cli.sandbox import sandbox; sandbox()"]


async def test_the_sandbox_says_that_its_state_is_memory(world: World) -> None:
    about = await world.call("GET", "/sandbox", api_key="")

    assert about.json["state"] == "memory"
    assert about.json["seed"] == 7
    assert about.json["counts"]["players"] == 1


async def test_a_wallet_is_opened_once(world: World) -> None:
    body = b'{"user_id":"u_5","currency":"JPY","available":"1500"}'

    opened = await world.call("POST", "/sandbox/users", body=body)
    again = await world.call("POST", "/sandbox/users", body=body)

    assert opened.status == 201
    assert opened.json["balances"] == [{"currency": "JPY", "available": "1500", "held": "0"}]
    assert (again.status, again.code) == (409, "wallet_exists")
    assert await world.balance("u_5", "JPY") == ("1500", "0")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"user_id":"u_5","currency":"GBP","available":5}', "validation_failed"),
        (b'{"user_id":"","currency":"GBP"}', "validation_failed"),
        (b'{"user_id":"u_5","currency":"GBP","available":"-1.00"}', "invalid_amount"),
        (b'{"user_id":"u_5","currency":"nope"}', "unknown_currency"),
        (b"{", "validation_failed"),
    ],
)
async def test_a_wallet_that_cannot_be_is_refused(world: World, body: bytes, code: str) -> None:
    reply = await world.call("POST", "/sandbox/users", body=body)

    assert (reply.status, reply.code) == (400, code)
    assert "u_5" not in world.sandbox.backend.players


async def test_keys_are_listed_without_their_secrets(world: World) -> None:
    made = await world.call("POST", "/sandbox/keys", body=b'{"scopes":["read:bet"]}')
    listed = await world.call("GET", "/sandbox/keys")

    assert made.status == 201
    assert made.json["api_key"].startswith("ck_sandbox_")
    assert made.json["signing_secret"].startswith("sk_sandbox_")
    assert [key["key_id"] for key in listed.json["keys"]] == ["k_1", made.json["key_id"]]
    for secret in (made.json["api_key"], made.json["signing_secret"], world.api_key, world.secret):
        assert secret not in listed.text
    assert world.secret not in repr(world.sandbox.keys.all())


async def test_a_key_with_no_such_scope_is_refused(world: World) -> None:
    for scopes in (b'["write:everything"]', b"[]"):
        reply = await world.call("POST", "/sandbox/keys", body=b'{"scopes":' + scopes + b"}")
        assert (reply.status, reply.code) == (400, "validation_failed")
    assert (await world.call("DELETE", "/sandbox/keys/k_none")).status == 404
    assert (await world.call("DELETE", "/sandbox/keys")).status == 404


async def test_a_key_is_revoked_by_path_or_by_query(world: World) -> None:
    made = await world.call("POST", "/sandbox/keys", body=b'{"scopes":["read:game_state"]}')

    by_query = await world.call("DELETE", f"/sandbox/keys?key_id={made.json['key_id']}")

    assert by_query.json["revoked"] is True
    path = "/api/v1/game/state"
    assert (await world.call("GET", path, api_key=made.json["api_key"])).status == 401


async def test_the_rate_limit_can_be_changed_while_it_runs(world: World) -> None:
    assert (await world.call("PUT", "/sandbox/rate-limit", body=b'{"limit":1}')).status == 200

    statuses = [(await world.get("/api/v1/game/state")).status for _ in range(2)]

    assert statuses == [200, 429]


async def test_a_round_that_has_crashed_cannot_be_cancelled(world: World) -> None:
    await world.until("crashed")

    reply = await world.call("POST", "/sandbox/rounds/current/cancel")

    assert (reply.status, reply.code) == (409, "round_closed")


async def test_an_unknown_control_path_has_the_apis_error_shape(world: World) -> None:
    reply = await world.call("GET", "/sandbox/none")

    assert (reply.status, reply.code) == (404, "not_found")
    assert reply.json["request_id"] == reply.headers["X-Request-Id"]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_says_where_it_listens_and_stops_cleanly(sent: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "--port",
        "0",
        "--seed",
        "42",
        "--json",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        said = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        key = said["settings"]["RECON_GAME_API_KEY"]
        async with (
            ClientSession(headers={"X-API-Key": key}) as http,
            http.get(said["url"] + "/api/v1/game/state") as answer,
        ):
            assert answer.status == 200
            # The socket stays open while the sandbox is told to stop.
            async with http.ws_connect(said["url"] + "/api/v1/stream") as socket:
                await socket.send_json({"op": "auth", "api_key": key})
                await socket.receive(timeout=60)
                process.send_signal(sent)
                await socket.receive(timeout=60)
                assert socket.close_code == 1001
        out, err = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()

    assert said["settings"]["RECON_GAME_URL"] == said["url"]
    assert said["settings"]["RECON_PSP__STRIPE__PROVIDER"] == "stripe"
    assert (process.returncode, out, err) == (0, b"", b"")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--fault", "no_such=0.1"],
        ["--fault", "answer_lost=often"],
        ["--fault", "answer_lost=2"],
        ["--betting", "0"],
        ["--cap", "much"],
    ],
)
def test_a_wrong_switch_is_a_usage_error(wrong: list[str]) -> None:
    result = CliRunner().invoke(sandbox, ["--port", "0", *wrong])

    assert result.exit_code == 2
    assert "Error" in result.stderr
