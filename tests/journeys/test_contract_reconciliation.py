"""Reconciliation's part of the contract, against a third party's game."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.journeys.conftest import Api, Recon, calling
from tests.journeys.test_contract_stub import (
    PSPS,
    Game,
    Sender,
    bank_event,
    intent,
    playing,
    refund,
    sending,
    stripe_event,
)

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
    game: Game
    psp: Sender
    api: Api

    async def register(self, reference: str, user: str, amount: str, **more: str) -> None:
        wish = {"reference": reference, "endpoint": "bank", "direction": "deposit",
                "user_id": user, "amount": amount, "currency": "GBP", **more}  # fmt: skip
        status, answer = await self.api.post("/api/v1/payments", wish)
        assert status == 201, answer

    async def run(self, scope: str = "changed", **more: object) -> dict[str, Any]:
        status, run = await self.api.post("/api/v1/reconciliation/runs", {"scope": scope, **more})
        assert status == 201, run
        path = f"/api/v1/reconciliation/runs/{run['run_id']}"
        return dict(await self.api.until(path, "state", "finished", "incomplete", "failed"))

    async def in_touch(self) -> None:
        """Until the service has heard that its game is well; its breaker may be open before."""
        await self.api.until("/api/v1/game/state", "status", "betting")

    async def found(self, user: str) -> list[dict[str, Any]]:
        _, page = await self.api.get(f"/api/v1/discrepancies?user_id={user}")
        return list(page["items"])


@pytest.fixture(scope="module")
async def world(
    server: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    administrator = await asyncpg.connect(server.dsn_for("postgres"))
    await administrator.execute(f"CREATE DATABASE contract_recon TEMPLATE {template}")
    async with playing() as game:
        settings = {
            "RECON_DATABASE_URL": server.service_dsn_for("contract_recon"),
            "RECON_RECONCILE_EVERY": "off",
            "RECON_GRACE_PERIOD": "1s",
            **PSPS,
            **game.settings,
        }
        recon = Recon(settings, tmp_path_factory.mktemp("contract"))
        try:
            service = await recon.start("serve", "--port", "0", "--json")
            async with calling(recon, service, *SCOPES) as api, sending(service.url) as psp:
                yield World(recon, game, psp, api)
        finally:
            game.broken.clear()
            await recon.stop_all()
            await administrator.execute("DROP DATABASE contract_recon WITH (FORCE)")
            await administrator.close()


async def test_each_cause_is_found_with_the_equation_that_explains_it(world: World) -> None:
    w, g = world, world.game
    # Registered, and the webhook never came; the wallet is not even open here.
    await w.register("r-lost", "lost", "20.00")
    g.set("lost", "20.00")
    # A withdrawal that the game has taken, and no PSP has spoken of.
    await w.psp.deposit("p-out", "out", "30.00")
    await w.register("r-out", "out", "12.00", direction="withdrawal")
    g.set("out", "18.00")
    # Booked here, and the game was never told: unknown there; one of two; a refund; a payout.
    await w.psp.deposit("p-new", "new", "30.00")
    await w.psp.deposit("p-second1", "second", "30.00")
    await w.psp.deposit("p-second2", "second", "5.55")
    g.set("second", "30.00")
    await w.psp.stripe(stripe_event("payment_intent.succeeded", intent("pi_r", "refunded", 2000)))
    await w.psp.stripe(stripe_event("refund.created", refund("re_r", "pi_r", 500)))
    g.set("refunded", "20.00")
    # The game counted it twice.
    await w.psp.deposit("p-twice", "twice", "30.00")
    g.set("twice", "60.00")
    # Reported with another amount than registered; the game has the registered one.
    await w.register("r-amount", "amount", "20.00")
    await w.psp.deposit("p-amount", "amount", "18.00", reference="r-amount")
    g.set("amount", "20.00")
    # Two at once, and one that nothing accounts for.
    await w.psp.deposit("p-both1", "both", "30.00")
    await w.register("r-both", "both", "7.00")
    await w.psp.deposit("p-both2", "both", "3.00")
    g.set("both", "37.00")
    await w.psp.deposit("p-odd", "odd", "30.00")
    g.set("odd", "31.23")
    # What may rightly differ: a withdrawal on its way, before and after the game heard of it.
    for user, there in (("before", "30.00"), ("after", "18.00")):
        await w.psp.deposit(f"p-{user}", user, "30.00")
        await w.register(f"r-{user}", user, "12.00", direction="withdrawal")
        body = bank_event("withdrawal.accepted", f"po-{user}", user, "12.00", reference=f"r-{user}")
        await w.psp.bank(body)
        g.set(user, there)

    run = await w.run("all")

    assert (run["state"], run["scope"]) == ("finished", "all")
    assert run["wallets"] == {
        "total": 11, "compared": 11, "agreed": 2, "discrepant": 9, "in_flight": 0,
        "not_compared": 0,
    }  # fmt: skip
    _, page = await w.api.get(f"/api/v1/discrepancies?run_id={run['run_id']}&limit=500")
    found = {one["user_id"]: one for one in page["items"]}
    assert {user: (one["cause"], one["difference"], one["unexplained"]) for user, one in
            found.items()} == {
        "lost": ("missing_webhook", "20.00", "0.00"),
        "out": ("missing_webhook", "-12.00", "0.00"),
        "new": ("missing_game_update", "-30.00", "0.00"),
        "second": ("missing_game_update", "-5.55", "0.00"),
        "refunded": ("missing_game_update", "5.00", "0.00"),
        "twice": ("duplicate", "30.00", "0.00"),
        "amount": ("amount_mismatch", "20.00", "0.00"),
        "both": ("missing_webhook", "4.00", "0.00"),
        "odd": ("unexplained", "1.23", "1.23"),
    }  # fmt: skip
    for one in page["items"]:
        assert set(one) >= {
            "discrepancy_id", "user_id", "currency", "ledger", "game", "difference", "explained",
            "unexplained", "cause", "evidence", "status", "severity", "assignee",
            "first_seen_at", "last_seen_at", "occurrences",
        }  # fmt: skip
        assert Decimal(one["difference"]) == Decimal(one["explained"]) + Decimal(one["unexplained"])
        assert sum(Decimal(fact["amount"]) for fact in one["evidence"]) == Decimal(one["explained"])
        for fact in one["evidence"]:
            assert set(fact) >= {"kind", "id", "amount", "at", "summary"}
    assert sorted(fact["amount"] for fact in found["both"]["evidence"]) == ["-3.00", "7.00"]


async def test_a_discrepancy_that_stands_is_seen_again_and_one_that_healed_is_cleared(
    world: World,
) -> None:
    await world.psp.deposit("p-heal", "heal", "30.00")
    world.game.set("heal", "60.00")
    for seen in (1, 2):
        run = await world.run("users", users=["heal"])
        assert run["wallets"]["discrepant"] == 1
        ((found),) = await world.found("heal")
        assert (found["status"], found["occurrences"]) == ("open", seen)
    world.game.set("heal", "30.00")
    run = await world.run("users", users=["heal"])
    assert run["wallets"]["agreed"] == 1
    ((found),) = await world.found("heal")
    assert found["status"] == "cleared"


async def test_a_game_that_lags_less_than_the_grace_is_no_alarm(world: World) -> None:
    await world.psp.deposit("p-lag", "lag", "30.00")
    world.game.set("lag", "0.00")

    async def hear_late() -> None:
        # Once it has been asked, and has shown what it does not have yet.
        while not any(  # noqa: ASYNC110 - behind a socket
            headers.get("X-User-Id") == "lag"
            for _, _, headers, _ in world.game.seen("GET", "/api/v1/user/balance")
        ):
            await asyncio.sleep(0.01)
        world.game.set("lag", "30.00")

    late = asyncio.create_task(hear_late())
    run = await world.run("users", users=["lag"])
    await late
    assert (run["state"], run["wallets"]["agreed"]) == ("finished", 1)
    assert await world.found("lag") == []


async def test_a_run_that_the_game_does_not_answer_is_incomplete_and_never_clean(
    world: World,
) -> None:
    await world.psp.deposit("p-inc", "inc", "30.00")
    world.game.set("inc", "99.00")
    world.game.broken["GET /api/v1/user/balance"] = 401
    run = await world.run("users", users=["inc"])
    assert (run["state"], run["wallets"]["not_compared"]) == ("incomplete", 1)
    code, out, _ = await world.recon.run("reconcile", "--user", "inc", "--json")
    assert (code, json.loads(out)["state"]) == (4, "incomplete")
    world.game.broken.clear()
    assert await world.found("inc") == []


async def test_a_dry_run_opens_nothing_and_exits_3_all_the_same(world: World) -> None:
    await world.psp.deposit("p-dry", "dry", "30.00")
    world.game.set("dry", "31.00")
    code, out, _ = await world.recon.run("reconcile", "--user", "dry", "--dry-run", "--json")
    assert (code, json.loads(out)["wallets"]["discrepant"]) == (3, 1)
    assert await world.found("dry") == []


async def test_a_bet_and_a_payout_whose_outcome_one_side_has_not_seen_are_named(
    world: World,
) -> None:
    w, g = world, world.game
    for user in ("nobet", "nopay", "inplay"):
        await w.psp.deposit(f"p-{user}", user, "30.00")
        g.set(user, "30.00")

    async def bet(user: str) -> dict[str, Any]:
        wish = {"user_id": user, "round_id": g.open_round, "amount": "5.00", "currency": "GBP",
                "auto_cashout": None}  # fmt: skip
        _, made = await w.api.post("/api/v1/bets", wish)
        return dict(made)

    await bet("inplay")
    paid = await bet("nopay")
    await w.api.post(f"/api/v1/bets/{paid['bet_id']}/cashout", {})
    g.add("nopay", "-10.00")  # the game said "completed", and its balance has not got it
    g.broken["POST /api/v1/bets/holds"] = 503
    g.broken["GET /api/v1/bets?"] = 503
    assert (await bet("nobet"))["state"] == "placing"
    await w.in_touch()

    run = await w.run("users", users=["nobet", "nopay", "inplay"])

    g.broken.clear()
    assert (run["wallets"]["agreed"], run["wallets"]["discrepant"]) == (1, 2)
    ((unresolved),), ((missed),) = await w.found("nobet"), await w.found("nopay")
    assert (unresolved["cause"], unresolved["difference"]) == ("unresolved_bet", "5.00")
    assert (missed["cause"], missed["difference"]) == ("missed_payout", "-10.00")
