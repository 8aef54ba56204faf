"""``recon webhooks backfill``, ``recon cases`` and what ``doctor`` says of Stripe's list."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientSession, web
from click.testing import CliRunner

from recon.app import build_app, run_worker
from recon.cli import recon
from recon.clock import new_id, now
from recon.http.server import make_runner
from recon.ledger import read_wallet_or_none
from recon.payments import Overdue, find_overdue
from recon.settings import Settings, load_settings
from recon.webhooks.errors import CaseClosedError, MisconfiguredError
from tests.webhooks.backfill.conftest import KEY, Stripe
from tests.webhooks.backfill.conftest import stripe as stripe  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from recon.db import Pool


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        return json.loads(self.out)


@pytest.fixture
def settings(database_url: str, stripe: Stripe, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a Stripe account with an API, in the environment too."""
    for name, value in {
        "RECON_DATABASE_URL": database_url,
        "RECON_CONFIG": os.devnull,
        "RECON_PSP__STRIPE__PROVIDER": "stripe",
        "RECON_PSP__STRIPE__SECRETS": '["whsec_1"]',
        "RECON_PSP__STRIPE__API_URL": stripe.url,
        "RECON_PSP__STRIPE__API_KEY": KEY,
        "RECON_BACKFILL_EVERY": "1s",
        "RECON_BACKFILL_AFTER": "1s",
    }.items():
        monkeypatch.setenv(name, value)
    return load_settings()


async def run(*arguments: str) -> Ran:
    """Run a command in a thread with a loop of its own."""
    result = await asyncio.to_thread(
        CliRunner(catch_exceptions=False).invoke, recon, list(arguments)
    )
    assert KEY not in result.output
    return Ran(result.exit_code, result.stdout, result.stderr)


async def available(pool: Pool, user_id: str = "u_7") -> int:
    async with pool.acquire() as connection:
        wallet = await read_wallet_or_none(connection, user_id, "GBP")
    return wallet.available if wallet else 0


@pytest.mark.usefixtures("settings")
async def test_backfill_on_demand_says_what_it_did_and_the_inbox_shows_it(
    pool: Pool, stripe: Stripe
) -> None:
    event = stripe.paid(ago_s=2 * 86_400)
    assert (await run("webhooks", "backfill", "--json")).json()[0]["taken"] == 0
    looked = (await run("webhooks", "backfill", "--since", "3d", "--dry-run", "--json")).json()
    assert [one["event_id"] for one in looked[0]["missed"]] == [event["id"]]
    assert await available(pool) == 0

    (done,) = (await run("webhooks", "backfill", "--since", "3d", "--json")).json()
    assert (done["endpoint"], done["listed"], done["taken"]) == ("stripe", 1, 1)
    assert (done["outcomes"], done["error"]) == ({"booked": 1}, None)
    assert await available(pool) == 2000
    (shown,) = (await run("webhooks", "list", "--json")).json()
    assert shown["backfilled"] is True
    assert shown["verified_by"].startswith("api:")
    plain = await run("webhooks", "backfill", "--since", "3d")
    assert plain.out.strip() == "stripe: 1 listed, 0 were missing"


@pytest.mark.usefixtures("settings")
async def test_a_list_that_cannot_be_read_exits_1_and_says_why(stripe: Stripe) -> None:
    stripe.fail(401, times=2)
    failed = await run("webhooks", "backfill")
    assert failed.code == 1
    told = (await run("webhooks", "backfill", "--json")).json()
    assert told[0]["error"]["code"] == "psp_api_refused"


@pytest.mark.usefixtures("settings")
async def test_an_account_without_a_key_cannot_be_backfilled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert (await run("webhooks", "backfill", "--endpoint", "other")).code == 2
    monkeypatch.delenv("RECON_PSP__STRIPE__API_KEY")
    assert (await run("webhooks", "backfill")).code == 2


@pytest.mark.usefixtures("settings")
async def test_doctor_says_whether_the_list_can_be_read(
    stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def finding() -> dict[str, Any]:
        told = (await run("doctor", "--json")).json()
        (one,) = [one for one in told["findings"] if one["check"] == "psp stripe events"]
        assert isinstance(one, dict)
        return one

    event = stripe.paid()
    assert await finding() == {
        "check": "psp stripe events",
        "ok": True,
        "detail": f"its list can be read; the newest is {event['id']}",
    }
    stripe.fail(403)
    refused = await finding()
    assert (refused["ok"], "API_KEY is wrong" in refused["detail"]) == (False, True)
    monkeypatch.delenv("RECON_PSP__STRIPE__API_KEY")
    assert "API_KEY is not set" in (await finding())["detail"]


def test_a_type_of_which_nothing_can_be_made_is_told_before_anything_starts(
    settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_app(settings, database_url, jobs=True)
    monkeypatch.setenv("RECON_PSP__STRIPE__API_EVENTS", '["payout.paid", "customer.created"]')
    with pytest.raises(MisconfiguredError, match=r"api_events: customer\.created: there are"):
        build_app(load_settings(), database_url, jobs=True)


async def test_the_worker_backfills_by_itself(
    pool: Pool, settings: Settings, stripe: Stripe
) -> None:
    stripe.paid()
    working = asyncio.create_task(run_worker(settings, pool, None))
    try:
        async with asyncio.timeout(60):
            while await available(pool) != 2000:  # noqa: ASYNC110 - the worker tells nobody
                await asyncio.sleep(0.1)
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)


async def test_the_numbers_tell_the_age_of_the_list_and_the_open_cases(
    pool: Pool, settings: Settings, database_url: str, stripe: Stripe
) -> None:
    stripe.paid()
    await run("webhooks", "backfill")
    await pool.execute(
        "UPDATE backfills SET completed_at = completed_at - interval '1 hour', failure = 'no'"
    )
    # An account that is no more, as its last failure has left it.
    await pool.execute(
        "INSERT INTO backfills (endpoint, failed_at, failure) VALUES ('retired', now(), 'no')"
    )
    await pool.execute(
        "INSERT INTO cases (case_id, kind, reason) VALUES ($1, 'payment_overdue', 'because')",
        new_id(),
    )
    lines = await scraped(settings, database_url)
    numbers = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    assert 3600 <= float(numbers['recon_backfill_age_seconds{endpoint="stripe"}']) < 3700
    assert numbers['recon_backfilled_events{endpoint="stripe"}'] == "1.0"
    assert numbers['recon_backfill_failing{endpoint="stripe"}'] == "1.0"
    assert numbers['recon_cases_open{kind="payment_overdue"}'] == "1.0"
    assert numbers['recon_cases_open{kind="suspended"}'] == "0.0"
    assert [line for line in lines if "retired" in line] == []

    by_hand = settings.model_copy(update={"backfill_every": None})
    lines = await scraped(by_hand, database_url)
    # Other numbers of it are of this process, whatever else that did.
    assert [line for line in lines if re.match(r"recon_backfill.*stripe", line)] == []


async def scraped(settings: Settings, database_url: str) -> list[str]:
    """What `GET /metrics` tells, line by line."""
    runner = make_runner(build_app(settings, database_url, jobs=False))
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        async with (
            ClientSession() as session,
            session.get(f"http://127.0.0.1:{port}/metrics") as response,
        ):
            return (await response.text()).splitlines()
    finally:
        await runner.cleanup()


@pytest.mark.usefixtures("settings")
async def test_one_that_is_killed_in_the_middle_has_booked_what_it_had_and_the_next_the_rest(
    pool: Pool, stripe: Stripe
) -> None:
    for number in range(250):
        stripe.paid(number, ago_s=600 + number)
    asked = asyncio.Event()

    async def never(_: web.Request) -> web.StreamResponse:
        asked.set()
        await asyncio.sleep(60)
        return web.Response()

    stripe.plainly_first = 2
    stripe.instead.append(never)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "recon", "webhooks", "backfill"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            await asked.wait()
        assert await available(pool) == 200 * 2000
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()

    busy = (await run("webhooks", "backfill", "--json")).json()
    assert busy[0]["error"]["code"] == "backfill_under_way"
    await pool.execute("UPDATE backfills SET held_until = now() - interval '1 second'")
    (done,) = (await run("webhooks", "backfill", "--json")).json()
    assert (done["listed"], done["taken"]) == (250, 50)
    assert await available(pool) == 250 * 2000
    assert await pool.fetchval("SELECT count(*) FROM delivery_repeats") == 0


@pytest.mark.usefixtures("settings")
async def test_cases_are_listed_and_closed(pool: Pool) -> None:
    await pool.execute(
        "INSERT INTO payments (reference, endpoint, direction, user_id, currency, amount, state, "
        "registered_at) VALUES ('d-1', 'stripe', 'deposit', 'u_7', 'GBP', 2000, 'registered', $1)",
        now() - timedelta(hours=1),
    )
    rules = Overdue(unreported=timedelta(minutes=30), unpaid=None, abandoned=None)
    assert await find_overdue(pool, rules) == 1

    (case,) = (await run("cases", "list", "--kind", "payment_overdue", "--json")).json()
    assert (case["reference"], case["amount"], case["state"]) == ("d-1", "20.00", "open")
    assert (await run("cases", "close", case["case_id"])).code == 2
    close = ("cases", "close", case["case_id"], "--reason", "left by the player")
    closed = (await run(*close, "--json")).json()
    assert (closed["state"], closed["closed_by"]) == ("closed", "cli")
    assert (await run("cases", "list", "--json")).json() == []
    with pytest.raises(CaseClosedError):
        await run(*close)
    assert await pool.fetchval("SELECT actor FROM audit") == "cli"
