"""``/docs`` shows the API to whoever may reach the service, under the policy of every page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import BaseTestServer, TestServer
from playwright.async_api import expect

from recon import __version__
from recon.app import build_app
from recon.settings import Settings
from tests.web.conftest import Window
from tests.web.test_pages import _POLICY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from playwright.async_api import Browser

    from tests.web.conftest import Site


async def test_the_api_is_shown_without_a_sign_in(site: Site) -> None:
    async with site.client.get("/docs", allow_redirects=False) as answer:
        html = await answer.text()

    assert answer.status == 200
    assert answer.headers["Content-Security-Policy"] == _POLICY
    assert "/openapi.json" in html
    assert re.findall(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", html) == []
    for url in re.findall(r'(?:href|src)="(/static/[^"]+)"', html):
        assert (await site.get(url))[0] == 200


@pytest.fixture
async def whole(database_url: str) -> AsyncIterator[BaseTestServer]:
    """The whole service, because its API is what is shown."""
    app = build_app(Settings(), database_url, jobs=False)
    async with TestServer(app, host="127.0.0.1") as server:
        yield server


@pytest.mark.browser
async def test_a_browser_draws_every_call_and_breaks_no_rule(
    chromium: Browser, whole: BaseTestServer
) -> None:
    context = await chromium.new_context(viewport={"width": 1280, "height": 900})
    page = await context.new_page()
    origin = str(whole.make_url("/")).rstrip("/")
    window = Window(page, origin)
    window.watch()

    await window.open("/docs")
    await expect(page.get_by_role("heading", name=f"recon {__version__}")).to_be_visible()
    await page.get_by_role("button", name="A wallet's balances").click()
    await expect(page.get_by_text("Needs the scope read:wallet.").first).to_be_visible()
    document = await (await context.request.get(f"{origin}/openapi.json")).json()

    calls = sum(len(verbs) for verbs in document["paths"].values())
    assert await page.locator(".opblock").count() == calls > 20
    assert window.faults == []
    await context.close()
