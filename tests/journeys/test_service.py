"""The service from outside: webhooks in, balances out, through crashes and restarts."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.journeys.conftest import calling, deliver, deposited

if TYPE_CHECKING:
    from tests.journeys.conftest import Api, Process, Recon

SERVE = ("serve", "--port", "0", "--json")
SANDBOX = ("sandbox", "--port", "0", "--json")


async def test_a_webhook_answered_200_survives_a_kill_right_after(recon: Recon) -> None:
    service = await recon.start(*SERVE)
    assert await deliver(service.url, "evt_1", deposited("p1", "u_7", "20.00")) == 200
    await service.stop(signal.SIGKILL)

    again = await recon.start(*SERVE)
    assert await deliver(again.url, "evt_1", deposited("p1", "u_7", "20.00")) == 200
    async with calling(recon, again, "read:wallet") as api:
        status, wallet = await api.get("/api/v1/wallets/u_7?currency=GBP")

    assert status == 200
    assert (wallet["available"], wallet["held"], wallet["version"]) == ("20.00", "0.00", 1)
    assert (await recon.json("verify"))["ok"]


async def test_sigterm_ends_it_with_0_and_it_was_unready_first(recon: Recon) -> None:
    # It is unready for long enough to be seen so.
    service = await recon.start(*SERVE, RECON_DRAIN_NOTICE="3s")
    async with aiohttp.ClientSession(service.url) as session:
        async with session.get("/healthz") as healthy, session.get("/readyz") as ready:
            assert (healthy.status, ready.status) == (200, 200)
        service.child.send_signal(signal.SIGTERM)
        while True:
            async with session.get("/readyz") as draining:
                if draining.status == 503:
                    break
            await asyncio.sleep(0.01)

    assert await service.stop() == 0


async def test_two_processes_share_one_port_and_book_a_payment_once(recon: Recon) -> None:
    service = await recon.start("serve", "--port", "0", "--processes", "2", "--json")

    answers = await asyncio.gather(
        *(deliver(service.url, "evt_1", deposited("p1", "u_7", "20.00")) for _ in range(12))
    )

    assert answers == [200] * 12
    wallet = await recon.json("wallet", "show", "u_7")
    assert [one["available"] for one in wallet["wallets"]] == ["20.00"]
    async with aiohttp.ClientSession(service.url) as session, asyncio.timeout(60):
        told: list[str] = []
        # A busy one may not answer the other in time.
        while not {"recon_processes 2.0", "recon_suspects 0.0"} <= set(told):
            async with session.get("/metrics") as answer:
                told = (await answer.text()).splitlines()
    # Whichever was asked tells of both; what the database knows it tells once.
    taken = [
        float(line.rsplit(" ", 1)[1])
        for line in told
        if line.startswith("recon_http_requests_total") and 'route="/webhooks/{endpoint}"' in line
    ]
    assert sum(taken) == 12
    assert [line for line in told if line.startswith("recon_suspects ")] == ["recon_suspects 0.0"]
    assert await service.stop() == 0


async def test_a_worker_answers_for_itself_where_it_is_told_to(recon: Recon) -> None:
    worker = await recon.start("worker", "--port", "0", "--json")
    async with aiohttp.ClientSession(worker.url) as session:
        async with session.get("/readyz") as ready:
            assert (ready.status, (await ready.json())["schema"]) == (200, "ok")
        async with session.get("/metrics") as answer:
            told = await answer.text()
            assert "recon_seals_rows_total" in told
            assert "recon_jobs_last_tick_age_seconds" in told
        async with session.get("/") as page:
            assert page.status == 404

    assert await worker.stop() == 0


async def test_a_key_of_another_scope_and_a_revoked_one_are_refused(
    standing: tuple[Recon, Process],
) -> None:
    recon, service = standing
    async with calling(recon, service, "read:bet") as api:
        status, problem = await api.get("/api/v1/wallets/u_7?currency=GBP")
        assert (status, problem["code"]) == (403, "insufficient_scope")
        assert set(problem) >= {"type", "title", "status", "detail", "message", "request_id"}

        listed = await recon.json("keys", "list")
        (key,) = [one for one in listed if one["scopes"] == ["read:bet"]]
        await recon.run("keys", "revoke", key["key_id"])
        status, problem = await api.get("/api/v1/wallets/u_7?currency=GBP")
        assert (status, problem["code"]) == (401, "invalid_api_key")


async def test_a_post_is_answered_once_per_idempotency_key(
    standing: tuple[Recon, Process],
) -> None:
    recon, service = standing
    payment = {
        "reference": "ref-1",
        "endpoint": "bank",
        "direction": "deposit",
        "user_id": "u_7",
        "amount": "20.00",
        "currency": "GBP",
    }
    async with calling(recon, service, "write:payment", "read:payment") as api:
        async with api.session.post("/api/v1/payments", json=payment) as missing:
            assert (missing.status, (await missing.json())["code"]) == (
                400,
                "idempotency_key_missing",
            )
        first = await api.post("/api/v1/payments", payment, key="k-1")
        headers = {"Idempotency-Key": "k-1"}
        async with api.session.post("/api/v1/payments", json=payment, headers=headers) as again:
            assert again.headers["Idempotency-Replayed"] == "true"
            assert (again.status, await again.json()) == first
        status, problem = await api.post("/api/v1/payments", payment | {"amount": "9.00"}, "k-1")
        assert (status, problem["code"]) == (422, "idempotency_key_reused")
        status, problem = await api.post("/api/v1/payments", payment | {"amount": 20.0})
        assert (status, problem["code"]) == (400, "validation_failed")
        status, problem = await api.post("/api/v1/payments", payment | {"amount": "9.00"})
        assert (status, problem["code"]) == (409, "payment_exists")
        assert (await api.get("/api/v1/payments/ref-1"))[1]["state"] == "registered"


async def test_unknown_paths_and_methods_are_problems_too(
    standing: tuple[Recon, Process],
) -> None:
    _, service = standing
    async with aiohttp.ClientSession(service.url) as session:
        async with session.get("/api/v1/nothing", headers={"X-Request-Id": "mine-1"}) as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"], problem["request_id"]) == (
                404,
                "not_found",
                "mine-1",
            )
            assert answer.headers["X-Request-Id"] == "mine-1"
        async with session.delete("/api/v1/payments") as answer:
            assert answer.status == 405
            assert "POST" in answer.headers["Allow"]


async def test_the_openapi_document_has_every_call_of_the_contract(
    standing: tuple[Recon, Process],
) -> None:
    _, service = standing
    async with aiohttp.ClientSession(service.url) as session, session.get("/openapi.json") as got:
        document = await got.json()

    assert document["openapi"] == "3.1.0"
    calls = {
        f"{verb.upper()} {path}" for path, verbs in document["paths"].items() for verb in verbs
    }
    assert calls >= {
        "POST /api/v1/payments",
        "GET /api/v1/payments/{reference}",
        "POST /api/v1/bets",
        "GET /api/v1/bets/{bet_id}",
        "POST /api/v1/bets/{bet_id}/cashout",
        "GET /api/v1/wallets/{user_id}",
        "GET /api/v1/wallets/{user_id}/entries",
        "GET /api/v1/game/state",
        "POST /api/v1/reconciliation/runs",
        "GET /api/v1/reconciliation/runs",
        "GET /api/v1/reconciliation/runs/{run_id}",
        "GET /api/v1/discrepancies",
        "GET /api/v1/discrepancies/{discrepancy_id}",
        "GET /api/v1/webhooks",
        "POST /api/v1/webhooks/{delivery_id}/replay",
    }


async def _placed(api: Api, user_id: str) -> dict[str, Any]:
    """A bet of 5.00 that cashes itself out at once; in the next round where betting was over."""
    async with asyncio.timeout(120):
        while True:
            state = await api.until("/api/v1/game/state", "status", "betting")
            wish = {
                "user_id": user_id,
                "round_id": state["round_id"],
                "amount": "5.00",
                "currency": "GBP",
                "auto_cashout": "1.01",
            }
            status, bet = await api.post("/api/v1/bets", wish)
            if (status, bet.get("code")) != (409, "round_closed"):
                assert (status, bet["state"]) == (201, "placed")
                return dict(bet)


async def test_from_a_deposit_to_an_explained_discrepancy_and_back(recon: Recon) -> None:
    sandbox = await recon.start(*SANDBOX)
    service = await recon.start(*SERVE, **sandbox.ready["settings"])
    settings = sandbox.ready["settings"]
    async with (
        calling(recon, service, "write:bet", "read:bet", "read:wallet", "read:game_state",
                "run:reconciliation", "read:discrepancy") as api,
        aiohttp.ClientSession(sandbox.url) as control,
    ):  # fmt: skip
        await deliver(service.url, "evt_1", deposited("p1", "u_7", "50.00"))
        opened = {"user_id": "u_7", "currency": "GBP", "available": "50.00"}
        await control.post("/sandbox/users", json=opened)

        bet = await _placed(api, "u_7")
        settled = await api.until(f"/api/v1/bets/{bet['bet_id']}", "state", "cashed_out", "lost")
        expected = "45.00" if settled["state"] == "lost" else "50.05"
        _, wallet = await api.get("/api/v1/wallets/u_7?currency=GBP")
        assert (wallet["available"], wallet["held"]) == (expected, "0.00")

        run = await recon.json("reconcile", "--all", **settings)
        assert (run["state"], run["wallets"]["agreed"]) == ("finished", 1)

        await deliver(service.url, "evt_2", deposited("p2", "u_7", "7.77"))
        run = await recon.json("reconcile", code=3, **settings)
        assert run["wallets"]["discrepant"] == 1
        _, page = await api.get("/api/v1/discrepancies?status=open")
        (found,) = page["items"]
        assert (found["cause"], found["difference"], found["unexplained"]) == (
            "missing_game_update",
            "-7.77",
            "0.00",
        )
        listed = await recon.json("discrepancies", "list", code=3)
        assert [one["discrepancy_id"] for one in listed] == [found["discrepancy_id"]]

        status, run = await api.post(
            "/api/v1/reconciliation/runs", {"scope": "users", "users": ["u_7"]}
        )
        assert status == 201
        run = await api.until(
            f"/api/v1/reconciliation/runs/{run['run_id']}", "state", "finished", "incomplete"
        )
        assert run["wallets"]["discrepant"] == 1
        _, seen = await api.get(f"/api/v1/discrepancies/{found['discrepancy_id']}")
        assert seen["occurrences"] == 2


async def test_without_a_signing_secret_wallets_are_compared_and_doctor_says_what_is_missing(
    recon: Recon,
) -> None:
    sandbox = await recon.start(*SANDBOX)
    settings = sandbox.ready["settings"] | {"RECON_GAME_SIGNING_SECRET": ""}

    run = await recon.json("reconcile", "--all", **settings)
    code, said, _ = await recon.run("doctor", **settings)

    assert (run["state"], code) == ("finished", 5)
    assert "RECON_GAME_SIGNING_SECRET" in said


async def test_without_a_game_reconcile_says_what_to_set_and_exits_2(recon: Recon) -> None:
    code, _, said = await recon.run("reconcile")

    assert code == 2
    assert "RECON_GAME_URL" in said


async def test_every_fault_of_the_settings_is_said_at_once(recon: Recon) -> None:
    code, _, said = await recon.run(
        "serve", RECON_GRACE_PERIOD="soon", RECON_ENVIRONMENT="moon", RECON_POOL_SIZE="0"
    )

    assert code == 2
    # Where no person looks, a service speaks as its log does.
    (line,) = map(json.loads, said.splitlines())
    assert (line["event"], line["level"]) == ("not_serving", "error")
    assert {fault.split(":")[0] for fault in line["faults"]} == {
        *("grace_period", "environment", "pool_size")
    }


async def test_live_refuses_what_is_only_fit_for_a_sandbox(recon: Recon) -> None:
    code, _, said = await recon.run(
        "serve",
        RECON_ENVIRONMENT="live",
        RECON_DATABASE_URL="",
        RECON_GAME_URL="http://127.0.0.1:1",
        RECON_GAME_API_KEY="ck_sandbox_1",
    )

    assert code == 2
    assert all(word in said for word in ("database_url", "sandbox key", "https"))


async def test_secrets_are_masked_wherever_settings_are_shown(recon: Recon) -> None:
    code, out, said = await recon.run("config", "show", "--json")

    assert code == 0
    shown = {row["name"]: row for row in json.loads(out)}
    assert shown["grace_period"] == {"name": "grace_period", "value": "1s", "source": "environment"}
    assert shown["database_url"]["value"] == "********"
    assert not any(secret in out + said for secret in recon.settings.values() if "whsec" in secret)
