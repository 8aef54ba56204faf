"""Every page fits its window; pictures of them all where RECON_SCREENSHOTS names a folder.

``RECON_SCREENSHOTS=docs/screenshots`` makes those of the README: four pages, in light and dark.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from playwright.async_api import expect

from recon.clock import new_id, now
from recon.four_eyes import Step
from recon.http import Scope
from recon.http.keys import create_key
from recon.reconciliation.ignore import ignore
from recon.web import create_sign_in_link
from tests.web.deciding import seed_decisions
from tests.web.seeding import seed_incident
from tests.web.test_settlements import imported

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Window, Windows
    from tests.web.inbox import Inbox
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser


_FOLDER = os.environ.get("RECON_SCREENSHOTS")
_WIDTHS = (390, 1280)
"""Of windows; the last is the one in which the next page is opened."""
_IN_README = {"overview": 880, "discrepancies": 790, "discrepancy": 880, "approvals": 520}
"""Pages that stand there, with as many pixels as they are high."""


@pytest.mark.parametrize("scheme", ["light", "dark"] if _FOLDER else ["light"])
async def test_every_page_fits_its_window(
    windows: Windows,
    pool: Pool,
    week: Seeded,
    inbox: Inbox,
    scheme: Literal["light", "dark"],
) -> None:
    window = await windows.open(color_scheme=scheme)
    incident = await seed_incident(pool, week)
    settled = await imported(pool, name="settlement_detail_report_batch_7.csv", second="QFN4X8")
    bet_id = await seed_decisions(pool, week)
    await _leave_alone(pool, week)
    await _tolerate(pool, week)
    pages = {
        "overview": "/",
        "discrepancies": "/discrepancies",
        "discrepancy": f"/discrepancies/{week.discrepancies['u_81230']}",
        "unexplained": f"/discrepancies/{week.discrepancies['u_90911']}",
        "right-here": f"/discrepancies/{week.discrepancies['u_55008']}",
        "nothing": "/discrepancies?q=zzz",
        "seen-by-run": f"/discrepancies?run_id={week.runs[-1]}",
        "incident": f"/discrepancies?status=all&incident_id={incident}",
        "runs": "/runs",
        "run": f"/runs/{week.runs[-1]}",
        "settlements": "/settlements",
        "settlement": f"/settlements/{settled.file_id}",
        "cases": "/cases",
        "bet": f"/bets/{bet_id}",
        "proposals": "/approvals",
        "proposed": f"/discrepancies/{week.discrepancies['u_20466']}",
        "ignored": f"/discrepancies/{week.discrepancies['u_64019']}",
        "ignored-list": "/discrepancies?status=ignored",
        "tolerated": f"/runs/{week.runs[-2]}",
        "stale": f"/discrepancies/{week.discrepancies['u_33100']}",
        "approved": "/approvals?state=booked",
        "closed": "/cases?state=closed",
        "player": "/wallets",
        "wallets": "/wallets?user_id=u_48213",
        "audit": "/audit",
        "settings": "/settings",
        "wallet": "/wallets/u_48213/GBP",
        "wallet-then": f"/wallets/u_10077/GBP?at={week.now - timedelta(hours=6):%Y-%m-%dT%H:%M:%S}",
        "compared": "/wallets/u_10077/GBP/compared",
        "webhooks": "/webhooks",
        "delivery": f"/deliveries/{inbox.booked}",
        "quarantined": f"/deliveries/{inbox.fixable}",
        "replay": f"/deliveries/{inbox.fixable}/replay",
        "not-found": "/nowhere",
    }
    await window.open("/sign-in")
    await _fits(window, "sign-in", scheme)
    link = await create_sign_in_link(pool, "maker", timedelta(minutes=30))
    await window.open(f"/sign-in/once/{link}")
    await _fits(window, "sign-in-once", scheme)
    await window.sign_in()
    for name, path in pages.items():
        assert await window.open(path) == (404 if name == "not-found" else 200)
        await _fits(window, name, scheme)
    await window.page.context.clear_cookies()
    await window.sign_in("checker")
    for name, path in {
        "approvals": "/approvals",
        "decide": f"/discrepancies/{week.discrepancies['u_20466']}",
        "own": f"/discrepancies/{week.discrepancies['u_48213']}",
        "ruling": f"/bets/{bet_id}",
    }.items():
        assert await window.open(path) == 200
        await _fits(window, name, scheme)
    await create_key(pool, name="lobby", scopes=list(Scope), lifetime=timedelta(days=90))
    await window.page.context.clear_cookies()
    await window.sign_in("root")
    await window.open("/settings")
    await _fits(window, "administration", scheme)
    await window.page.locator('summary[aria-label="Change maker"]').click()
    await _fits(window, "change", scheme)
    for name, shown in {"late": _late(window, pool), "unanswered": _unanswered(window)}.items():
        await shown
        await _fits(window, name, scheme)


async def _leave_alone(pool: Pool, week: Seeded) -> None:
    """Nora ignores a discrepancy for a week."""
    await ignore(
        pool,
        week.discrepancies["u_64019"],
        "the operator settles this round by Friday, ticket OPS-412",
        until=now() + timedelta(days=7),
        step=Step("staff:nora", new_id()),
    )


async def _tolerate(pool: Pool, week: Seeded) -> None:
    """The run before the last one had two tolerances in force."""
    for currency, tolerance, wallets, amount in (("EUR", 2, 14, 19), ("JPY", 1, 0, 0)):
        await pool.execute(
            "INSERT INTO run_tolerances (run_id, currency, tolerance, wallets, amount)"
            " VALUES ($1, $2, $3, $4, $5)",
            *(week.runs[-2], currency, tolerance, wallets, amount),
        )


async def _late(window: Window, pool: Pool) -> None:
    """The last run was three hours ago."""
    await pool.execute("UPDATE runs SET finished_at = finished_at - interval '3 hours'")
    await window.open("/")
    await expect(window.page.locator("#verdict")).to_contain_text("too long ago")


async def _unanswered(window: Window) -> None:
    """A filter was chosen, and no answer has come."""
    page, wire = window.page, await window.wire("**/discrepancies?*currency=*")
    await window.open("/discrepancies")
    wire.cut()
    await page.get_by_label("Currency").select_option("EUR")
    await expect(page.locator("#lost")).to_contain_text("There is no answer.")


async def _fits(window: Window, name: str, scheme: str) -> None:
    """The page that is shown is nowhere wider than its window, be it a desk's or a telephone's.

    It is asked for once, and the window changed: how wide that is, its styles alone look at.
    """
    for width in _WIDTHS:
        await window.page.set_viewport_size({"width": width, "height": 900})
        await _picture(window, name, scheme, width)
        wide = await window.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide, its window {width}"


async def _picture(window: Window, page: str, scheme: str, width: int) -> None:
    if _FOLDER is None:
        return
    folder = Path(_FOLDER)
    if folder.parts[-2:] != ("docs", "screenshots"):
        path = folder / f"{page}-{scheme}-{width}.png"
        await window.page.screenshot(path=path, full_page=True)
    elif page in _IN_README and width == max(_WIDTHS):
        path = folder / f"{page}-{scheme}.png"
        await window.page.set_viewport_size({"width": width, "height": _IN_README[page]})
        await window.page.screenshot(path=path)
        assert path.stat().st_size < 200_000
