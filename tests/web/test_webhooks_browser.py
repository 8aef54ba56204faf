"""What a person does about a delivery in a browser, with its console open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

if TYPE_CHECKING:
    from tests.web.conftest import Windows
    from tests.web.inbox import Inbox

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("java_script_enabled", [True, False])
async def test_find_a_quarantined_delivery_understand_it_and_replay_it(
    windows: Windows, inbox: Inbox, *, java_script_enabled: bool
) -> None:
    window = await windows.open(java_script_enabled=java_script_enabled)
    page = window.page
    await window.sign_in()

    await page.get_by_role("link", name="Webhooks").click()
    await page.get_by_role("link", name="Quarantined 2").click()
    await page.get_by_label("Endpoint").select_option("adyen")
    if not java_script_enabled:
        await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("table.rows tbody tr")).to_have_count(1)
    await expect(page).to_have_url(
        f"{window.origin}/webhooks?state=quarantined&endpoint=adyen"
        + ("" if java_script_enabled else "&since=&until=&q=")
    )
    await page.get_by_role("link", name="AUTHORISATION").click()
    await expect(page.get_by_text("it is of another merchant account than")).to_have_count(2)
    await page.get_by_role("button", name="Replay…").click()
    await expect(page.get_by_text("would be booked")).to_be_visible()
    await page.get_by_role("button", name="Replay now").click()

    await expect(page.get_by_role("status")).to_contain_text("It was quarantined and is now booked")
    await page.get_by_role("link", name="version 1").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("u_7 has 20.00 GBP")
    row = await windows.pool.fetchrow(
        "SELECT state, reference FROM deliveries WHERE delivery_id = $1", inbox.fixable
    )
    assert (row["state"], row["reference"]) == ("booked", "order-7")
    assert window.faults == []


async def test_what_cannot_be_booked_stays_with_its_reason(windows: Windows, inbox: Inbox) -> None:
    window = await windows.open(color_scheme="dark")
    page = window.page
    await window.sign_in("checker")
    await window.open(f"/deliveries/{inbox.unusable}")

    await page.get_by_role("button", name="Replay…").click()
    await page.get_by_role("button", name="Replay all the same").click()

    await expect(page.get_by_role("status")).to_contain_text("It was quarantined and stays so")
    await expect(page.locator(".sentence")).to_contain_text("NaN is not a JSON number")
    assert window.faults == []


async def test_a_viewer_sees_why_there_is_no_button(windows: Windows, inbox: Inbox) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in("watcher")

    await page.keyboard.press("g")
    await page.keyboard.press("i")
    await expect(page).to_have_url(f"{window.origin}/webhooks")
    await page.get_by_label("Any id", exact=True).fill("order-1")
    await page.keyboard.press("Enter")
    await expect(page.locator("table.rows tbody tr")).to_have_count(1)
    await expect(page.get_by_role("link", name="To settle")).to_have_attribute(
        "href", "/webhooks?state=unsettled&q=order-1"
    )
    await page.keyboard.press("Escape")
    await page.get_by_role("link", name="AUTHORISATION").click()
    await expect(page.get_by_text("Your role, viewer, does not include")).to_be_visible()
    await expect(page.get_by_role("button", name="Replay…")).to_have_count(0)

    await expect(page).to_have_url(f"{window.origin}/deliveries/{inbox.suspended}")
    assert window.faults == []
