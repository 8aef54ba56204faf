"""The journeys of those who set things right, in a browser with its console open."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import expect
from pydantic import SecretStr

from recon.app import open_game, run_worker
from recon.db import open_pool
from recon.ledger import read_wallet
from recon.reconciliation.propose import propose
from recon.sandbox.app import build_app, settings_for
from recon.sandbox.options import SandboxOptions
from recon.sandbox.parts import SANDBOX
from recon.settings import Settings
from tests.reconciliation.cases import Cases, by

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Page

    from recon.db import Pool
    from recon.sandbox.parts import Sandbox
    from tests.web.conftest import Windows
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser

_SEED = 3


@pytest.fixture
async def at_work(database_url: str) -> AsyncIterator[Sandbox]:
    """The service's own jobs against a game on a socket; no run starts by the clock."""
    app = build_app(SandboxOptions(seed=_SEED))
    async with TestServer(app) as server, open_pool(database_url, max_size=6) as pool:
        given = settings_for(str(server.make_url("")).rstrip("/"), _SEED)
        settings = Settings(
            database_url=SecretStr(database_url),
            game_url=given["RECON_GAME_URL"],
            game_api_key=SecretStr(given["RECON_GAME_API_KEY"]),
            game_signing_secret=SecretStr(given["RECON_GAME_SIGNING_SECRET"]),
            reconcile_every=None,
            reconcile_all_every=None,
            game_stream=False,
            grace_period=timedelta(seconds=1),
        )
        async with open_game(settings) as game:
            jobs = asyncio.create_task(run_worker(settings, pool, game))
            yield app[SANDBOX]
            jobs.cancel()
            with suppress(asyncio.CancelledError):
                await jobs


async def test_from_a_proposal_to_its_approval_to_the_look_that_closes_it(
    windows: Windows, week: Seeded, at_work: Sandbox
) -> None:
    # The game has it as the last run saw it: 15.55 more than the ledger.
    at_work.backend.credit("u_90911", "EUR", await _game_shows(windows.pool, week))
    maker, checker = await windows.open(), await windows.open()
    page = maker.page
    await maker.sign_in("maker")
    await maker.open(f"/discrepancies/{week.discrepancies['u_90911']}")
    await expect(page.get_by_label("Change the available money by")).to_have_value("+15.55")
    await expect(page.locator("#fix-preview")).to_contain_text("ledger and game agree")

    await page.get_by_label("Change the available money by").fill("10")
    await expect(page.locator("#fix-preview")).to_contain_text("+5.55 still")
    await page.get_by_label("Change the available money by").fill("15.55")
    await expect(page.locator("#fix-preview")).to_contain_text("ledger and game agree")
    await page.get_by_label("Why the ledger should say so").fill("the PSP's report of 3 March")
    await page.get_by_role("button", name="Propose").click()
    await expect(page.get_by_text("You proposed it: another has to approve it.")).to_be_visible()

    page = checker.page
    await checker.sign_in("checker")
    await page.get_by_role("link", name="Approvals 1 open").click()
    await page.get_by_role("link", name="Decide…").click()
    await expect(page.get_by_text("the PSP's report of 3 March").first).to_be_visible()
    await page.get_by_role("button", name="Approve and book").click()
    await expect(page.locator("#history")).to_contain_text("Adjustment booked")
    async with asyncio.timeout(60):
        while "Resolved" not in await page.locator(".tags").inner_text():
            await asyncio.sleep(0.2)
            await page.reload()

    await page.locator("#history").get_by_role("link", name="a run").first.click()
    await expect(page.locator(".sentence")).to_contain_text("Complete: 1 of 1 wallets agree")
    assert at_work.backend.wallet("u_90911", "EUR").available == await _booked(windows.pool)
    assert (maker.faults, checker.faults) == ([], [])


async def test_one_proposal_is_rejected_and_another_approved_by_keys_alone(
    windows: Windows, pool: Pool
) -> None:
    cases = Cases(pool)
    for user in ("u_1", "u_2"):
        await cases.deposit(user, "100.00")
        case = await cases.seen(user, "120.00")
        await propose(pool, case, "20.00", "by the PSP's report", step=by("staff:maker"))
    window = await windows.open()
    page, press = window.page, window.page.keyboard.press
    await window.sign_in("checker")

    # The newest comes first: that of u_2.
    for reason, decision in (("the report is old", "Reject"), ("seen", "Approve and book")):
        await press("g")
        await press("a")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Approvals")
        await press("j")
        await press("Enter")
        await expect(page.locator("#fix-title")).to_have_text("The fix that was proposed")
        await _tab_to(page, "textarea")
        await page.keyboard.type(reason)
        await _tab_to(page, f"button:text-is('{decision}')")
        await press("Enter")
        await expect(page.locator("#history")).to_contain_text(reason)

    assert (await cases.balance("u_2"), await cases.balance("u_1")) == ("100.00", "120.00")
    assert window.faults == []


async def _tab_to(page: Page, what: str) -> None:
    """Press the tabulator until one of the fix's own controls has the focus."""
    wanted = page.locator(f"#fix {what}").first
    for _ in range(60):
        await page.keyboard.press("Tab")
        if await wanted.evaluate("one => one === document.activeElement"):
            return
    pytest.fail(f"no key leads to {what}")


async def _game_shows(pool: Pool, week: Seeded) -> int:
    """In minor units."""
    shown: int = await pool.fetchval(
        "SELECT game_available::bigint FROM discrepancies WHERE discrepancy_id = $1",
        week.discrepancies["u_90911"],
    )
    return shown


async def _booked(pool: Pool) -> int:
    """What the ledger has of it by now."""
    async with pool.acquire() as connection:
        return (await read_wallet(connection, "u_90911", "EUR")).available
