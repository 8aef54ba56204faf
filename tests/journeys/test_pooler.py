"""The whole service behind PgBouncer, which lends sessions by transaction: deploy/pgbouncer.ini."""

from __future__ import annotations

import asyncio
from itertools import count
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import pytest

from tests.journeys.conftest import Recon, calling, deliver, deposited
from tests.pooler import Pooler, pooling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db.embedded import EmbeddedPostgres
    from tests.journeys.conftest import Api

SESSIONS = 4  # for some fifty connections of the service
QUICK = ("--betting", "0.7", "--max-active", "1.5", "--cap", "3", "--payout", "0.2")
PLAYERS = tuple(f"u_{number}" for number in range(6))

_numbers = count(1)


@pytest.fixture
async def empty(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """The name of a database in which nothing is yet."""
    name = f"pooled_{next(_numbers)}"
    admin = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        await admin.execute(f"CREATE DATABASE {name}")
        yield name
        await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await admin.close()


@pytest.fixture
async def pooler(server: EmbeddedPostgres, empty: str) -> AsyncIterator[Pooler]:
    dsns = (server.dsn_for(empty), server.service_dsn_for(empty))
    async with pooling(dsns, size=SESSIONS) as running:
        yield running


async def test_the_whole_service_works_behind_a_pooler_and_leaves_nothing_in_its_sessions(
    recon: Recon, server: EmbeddedPostgres, empty: str, pooler: Pooler
) -> None:
    straight = server.service_dsn_for(empty)
    owner = pooler.through(server.dsn_for(empty))
    recon.settings["RECON_DATABASE_URL"] = pooler.through(straight)
    recon.settings["RECON_SEAL_KEYS"] = '["a key of thirty-two characters..."]'
    recon.settings["RECON_POOL_SIZE"] = "16"

    # Two at once, as two machines that are brought up: each revision by one of them.
    sandbox, *migrated = await asyncio.gather(
        recon.start("sandbox", "--port", "0", "--betting", "1", "--max-active", "1", "--json"),
        *(recon.json("migrate", RECON_MIGRATION_DATABASE_URL=owner) for _ in range(2)),
    )
    assert [one["up_to_date"] for one in migrated] == [True, True]

    recon.settings |= sandbox.ready["settings"]
    service = await recon.start("serve", "--port", "0", "--processes", "2", "--json")
    async with (
        calling(
            recon, service,
            *("write:payment", "read:payment", "write:bet", "read:bet", "read:wallet"),
            *("read:game_state", "run:reconciliation", "read:discrepancy"),
        ) as api,
        aiohttp.ClientSession(sandbox.url) as control,
    ):  # fmt: skip
        await _deposit(api, service.url, control)
        await _play(api)

        found = await _reconcile(api, service.url)
        assert (found["cause"], found["difference"]) == ("missing_game_update", "-7.77")
        await _look_at_pages(recon, service.url)

        examined, _ = await asyncio.gather(recon.json("doctor", code=5), _until_sealed(straight))
        proof = await recon.json("verify")
        assert (proof["ok"], proof["signatures"], proof["unsealed"]["rows"]) == (True, "checked", 0)
        told = {one["check"]: one for one in examined["findings"]}
        assert told["database pooler"]["ok"]
        assert told["database role"]["ok"]
        assert told["game stream"]["detail"].startswith("one process listens")
    assert await service.stop() == 0

    # Its sessions go on, to be lent to the next.
    for dsn in (straight, server.dsn_for(empty)):
        assert await pooler.left_behind(dsn) == {"set": {"search_path=public, pg_temp"}}


async def _deposit(api: Api, url: str, control: aiohttp.ClientSession) -> None:
    """50.00 for each player, on both sides; one payment was registered, and each is told thrice."""
    registered = {
        "reference": "ref-0",
        "endpoint": "bank",
        "direction": "deposit",
        "user_id": PLAYERS[0],
        "amount": "50.00",
        "currency": "GBP",
    }
    assert (await api.post("/api/v1/payments", registered))[0] == 201
    answers = await asyncio.gather(
        *(
            deliver(
                url,
                f"evt_{player}",
                deposited(f"p_{player}", player, "50.00", reference=f"ref-{number}"),
            )
            for number, player in enumerate(PLAYERS)
            for _ in range(3)
        )
    )
    assert set(answers) == {200}
    for player in PLAYERS:
        await control.post(
            "/sandbox/users", json={"user_id": player, "currency": "GBP", "available": "50.00"}
        )
    _, payment = await api.get("/api/v1/payments/ref-0")
    assert payment["state"] == "succeeded"


async def _play(api: Api) -> None:
    """In one round: a bet that is lost, one that cashes itself out, and one that is cashed out.

    Anew where betting was over, or the round crashed, before that could be.
    """
    states = {"lost", "cashed_out", "void"}
    while True:
        state = await api.until("/api/v1/game/state", "status", "betting")
        wish = {"round_id": state["round_id"], "amount": "5.00", "currency": "GBP"}
        targets = zip(PLAYERS, ("99.00", "1.01", None), strict=False)
        answers = await asyncio.gather(
            *(
                api.post("/api/v1/bets", wish | {"user_id": player, "auto_cashout": target})
                for player, target in targets
            )
        )
        assert {status for status, _ in answers} <= {201, 409}
        if any(status == 409 for status, _ in answers):
            continue
        bets = [f"/api/v1/bets/{bet['bet_id']}" for _, bet in answers]
        await api.until("/api/v1/game/state", "status", "active", "crashed")
        status, _ = await api.post(f"{bets[2]}/cashout", {})
        assert status in {200, 202, 409}
        lost, own, called = [await api.until(bet, "state", *states) for bet in bets]
        assert (lost["state"], own["state"] in states) == ("lost", True)
        if called["state"] == "cashed_out":
            return


async def _reconcile(api: Api, url: str) -> dict[str, Any]:
    """What a run finds after a deposit of which the game knows nothing."""
    assert await deliver(url, "evt_9", deposited("p_9", PLAYERS[5], "7.77")) == 200
    status, run = await api.post("/api/v1/reconciliation/runs", {"scope": "all"})
    assert status == 201
    run = await api.until(f"/api/v1/reconciliation/runs/{run['run_id']}", "state", "finished")
    assert (run["wallets"]["agreed"], run["wallets"]["discrepant"]) == (5, 1)
    _, page = await api.get("/api/v1/discrepancies?status=open")
    (found,) = page["items"]
    return dict(found)


async def _look_at_pages(recon: Recon, url: str) -> None:
    """A person signs in, looks, writes and exports."""
    password = "correct horse battery"
    code, _, said = await recon.run(
        *("users", "add", "ada", "--role", "analyst", "--password-stdin"), stdin=password
    )
    assert code == 0, said
    headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(url, headers=headers, cookie_jar=jar) as browser:
        await browser.post("/sign-in", data={"name": "ada", "password": password})
        for path in ("/", "/discrepancies", "/wallets", "/runs", "/webhooks", "/audit"):
            async with browser.get(path) as page:
                assert (page.status, page.url.path) == (200, path)
        for kind in ("csv", "json", "xlsx"):
            async with browser.get(f"/discrepancies/export?format={kind}") as export:
                body = await export.read()
                assert (export.status, len(body) > 100) == (200, True)
                assert kind == "xlsx" or b"7.77" in body


async def _until_sealed(dsn: str) -> None:
    """Until a job has sealed what was written; by then all of it was."""
    connection = await asyncpg.connect(dsn)
    try:
        before = await connection.fetchval("SELECT count(*) FROM seals")
        async with asyncio.timeout(60):
            while await connection.fetchval("SELECT count(*) FROM seals") == before:  # noqa: ASYNC110 - it is in the database
                await asyncio.sleep(0.1)
    finally:
        await connection.close()
