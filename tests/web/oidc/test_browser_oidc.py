"""The way to the provider and back, in a browser and under the strict content policy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.web.conftest import Window, Windows
    from tests.web.oidc.conftest import Desk

pytestmark = pytest.mark.browser

_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_AXE = Path(__file__).parent.parent / "vendor" / "axe.min.js"


async def test_the_provider_is_one_click_away_and_leads_back_or_it_is_said_what_to_do_next(
    windows: Windows, desk: Desk
) -> None:
    desk.house.who["email"] = "stranger"
    window = await windows.open()
    page = window.page
    await window.open("/sign-in")
    await page.get_by_role("button", name="Continue with Acme").click()
    await expect(page).to_have_url(re.compile(re.escape(f"{desk.house.origin}/authorize?")))
    await page.get_by_role("button", name="I am Ada").click()
    await expect(page.get_by_text("nobody of that name is on the staff")).to_be_visible()
    await page.get_by_role("link", name="Sign in").click()
    await expect(page).to_have_url(f"{window.origin}/sign-in")
    (refused,) = _faults(window, desk)
    assert "401" in refused

    desk.house.who["email"] = "maker"
    await window.open("/runs")
    await page.get_by_role("button", name="Continue with Acme").click()
    await page.get_by_role("button", name="I am Ada").click()
    await expect(page).to_have_url(f"{window.origin}/runs")
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{window.origin}/sign-in")

    kept = {cookie["name"] for cookie in await page.context.cookies()}
    assert not {name for name in kept if "oidc" in name}
    assert _faults(window, desk) == [refused]


async def test_the_page_with_both_ways_in_is_accessible_and_fits(
    windows: Windows, desk: Desk
) -> None:
    window = await windows.open(width=390)
    page = window.page
    await window.open("/sign-in")

    await expect(page.get_by_role("button", name="Continue with Acme")).to_be_visible()
    await page.evaluate(_AXE.read_text(encoding="utf-8"))
    for scheme in _SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        found: list[dict[str, Any]] = await page.evaluate(
            "axe.run({resultTypes: ['violations']}).then((results) => results.violations)"
        )
        assert [one["id"] for one in found] == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390
    assert desk.house.asked.total() == 0, "nothing is asked of the provider before it is wanted"


def _faults(window: Window, desk: Desk) -> list[str]:
    """What went wrong, besides that the browser was at the provider."""
    there = f"request to {desk.house.origin}/"
    return [one for one in window.faults if not one.startswith(there)]
