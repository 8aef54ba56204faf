"""Every page fits its window; pictures of them all where RECON_SCREENSHOTS names a folder.

``RECON_SCREENSHOTS=docs/screenshots`` makes those of the README: three pages, in light and dark.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from recon.http import Scope
from recon.http.keys import create_key
from tests.web.seeding import seed_incident
from tests.web.test_bets import resting
from tests.web.test_settlements import imported

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Window, Windows
    from tests.web.inbox import Inbox
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser


_FOLDER = os.environ.get("RECON_SCREENSHOTS")
_IN_README = {"overview", "discrepancies", "discrepancy"}


@pytest.mark.parametrize("scheme", ["light", "dark"] if _FOLDER else ["light"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_every_page_fits_its_window(
    windows: Windows,
    pool: Pool,
    week: Seeded,
    inbox: Inbox,
    scheme: Literal["light", "dark"],
    width: int,
) -> None:
    window = await windows.open(width=width, color_scheme=scheme)
    incident = await seed_incident(pool, week)
    settled = await imported(pool)
    bet_id, _ = await resting(pool)
    pages = {
        "overview": "/",
        "discrepancies": "/discrepancies",
        "discrepancy": f"/discrepancies/{week.discrepancies['u_81230']}",
        "unexplained": f"/discrepancies/{week.discrepancies['u_90911']}",
        "nothing": "/discrepancies?q=zzz",
        "seen-by-run": f"/discrepancies?run_id={week.runs[-1]}",
        "incident": f"/discrepancies?status=all&incident_id={incident}",
        "runs": "/runs",
        "run": f"/runs/{week.runs[-1]}",
        "settlements": "/settlements",
        "settlement": f"/settlements/{settled.file_id}",
        "cases": "/cases",
        "bet": f"/bets/{bet_id}",
        "approvals": "/approvals",
        "wallets": "/wallets?user_id=u_48213",
        "audit": "/audit",
        "settings": "/settings",
        "wallet": "/wallets/u_48213/GBP",
        "webhooks": "/webhooks",
        "delivery": f"/deliveries/{inbox.booked}",
        "quarantined": f"/deliveries/{inbox.fixable}",
        "replay": f"/deliveries/{inbox.fixable}/replay",
        "not-found": "/nowhere",
    }
    await window.open("/sign-in")
    await _picture(window, f"sign-in-{scheme}-{width}")
    await window.sign_in()
    for name, path in pages.items():
        assert await window.open(path) == (404 if name == "not-found" else 200)
        await _picture(window, f"{name}-{scheme}-{width}")
        wide = await window.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide"
    await create_key(pool, name="lobby", scopes=list(Scope), lifetime=timedelta(days=90))
    await window.page.context.clear_cookies()
    await window.sign_in("root")
    await window.open("/settings")
    await _picture(window, f"administration-{scheme}-{width}")
    assert await window.page.evaluate("document.documentElement.scrollWidth") <= width


async def _picture(window: Window, name: str) -> None:
    if _FOLDER is None:
        return
    folder = Path(_FOLDER)
    page, scheme, width = name.rsplit("-", 2)
    if folder.parts[-2:] != ("docs", "screenshots"):
        await window.page.screenshot(path=folder / f"{name}.png", full_page=True)
    elif page in _IN_README and width == "1280":
        path = folder / f"{page}-{scheme}.png"
        tall = await window.page.evaluate("document.documentElement.scrollHeight")
        await window.page.set_viewport_size({"width": 1280, "height": min(tall, 880)})
        await window.page.screenshot(path=path)
        assert path.stat().st_size < 200_000
