"""What is refused says so, and why, where it was asked for; nothing that was typed is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from recon.clock import new_id
from recon.reconciliation import Status
from tests.reconciliation.cases import Cases
from tests.web.conftest import PASSWORD
from tests.web.test_review import a_case, proposed

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site, Windows


async def test_a_refusal_leads_back_to_the_page_of_ours_that_it_came_from(
    site: Site, pool: Pool
) -> None:
    _, _, here = await a_case(pool)
    await site.sign_in("maker")
    fields = {"csrf": await site.csrf(), "form": str(new_id()), "text": ""}
    for referer, back in (
        (f"{site.origin}{here}?a=1", f"{here}?a=1"),
        ("https://elsewhere.example/discrepancies", None),
        (f"{site.origin}//elsewhere.example/", None),
        (f"{site.origin}/sign-in", None),
        ("http://[", None),
    ):
        status, page, _ = await site.post(f"{here}/comment", fields, Referer=referer)
        found = re.search(r'<a role="button" href="([^"]+)">Back to the page before', page)
        assert (status, found[1] if found else None) == (400, back), referer
        assert "Say something" in page


async def test_our_script_is_told_where_a_form_leads_and_others_are_sent_there(
    site: Site, pool: Pool
) -> None:
    _, _, here = await a_case(pool)
    await site.sign_in("maker")
    for headers, expected in (
        ({}, (303, f"{here}#history", None)),
        ({"X_Stay": "yes"}, (204, None, f"{here}#history")),
    ):
        fields = {"csrf": await site.csrf(), "form": str(new_id()), "text": "hello"}
        status, _, said = await site.post(f"{here}/comment", fields, **headers)
        assert (status, said.get("Location"), said.get("X-Leads-To")) == expected


@pytest.mark.browser
@pytest.mark.parametrize("java_script_enabled", [True, False])
async def test_an_approver_whom_another_or_the_wallet_forestalls_is_told_on_the_spot(
    windows: Windows, site: Site, pool: Pool, *, java_script_enabled: bool
) -> None:
    cases, case, adjustment = await proposed(site, pool)
    window = await windows.open(java_script_enabled=java_script_enabled)
    page = window.page
    await window.sign_in("checker")
    await window.open(f"/discrepancies/{case}")
    reason = page.locator(f"#reason-{adjustment.rpartition('/')[2]}")
    await reason.fill("seen in the report")
    await cases.deposit("u_1", "1.00")

    await page.get_by_role("button", name="Approve and book").click()

    if java_script_enabled:
        told = page.locator("#fix").get_by_role("alert")
        await expect(told).to_contain_text("the wallet moved; proposed on ledger 100.00")
        await expect(reason).to_have_value("seen in the report")
        await reason.fill("")
        await page.get_by_role("button", name="Reject").click()
        await expect(told).to_contain_text("Say why")
        await expect(told).to_have_count(1)
        await page.get_by_role("button", name="Approve and book").click()
        await told.get_by_role("link", name="Load this page again").click()
        await expect(page.locator("#fix")).to_contain_text("The fix, before it is made")
    else:
        await expect(page.locator("#said")).to_contain_text("now ledger 101.00")
        await page.get_by_role("button", name="Look at it as it is now").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("u_1 is out by")
    assert await cases.balance("u_1") == "101.00"
    assert all(re.search("40[09]", fault) for fault in window.faults)


@pytest.mark.browser
async def test_who_lost_a_right_is_told_why_and_who_has_it_ignores_until_a_day(
    windows: Windows, pool: Pool
) -> None:
    cases, case, here = await a_case(pool)
    window = await windows.open()
    page = window.page
    await window.sign_in("maker")
    await window.open(here)
    await pool.execute("UPDATE staff SET role = 'viewer' WHERE name = 'maker'")

    await page.get_by_label("Comment").fill("I ask the operator")
    await page.get_by_role("button", name="Comment").click()
    told = page.locator("#work").get_by_role("alert")
    await expect(told).to_contain_text("Your role, viewer, does not include this.")
    await expect(page.get_by_label("Comment")).to_have_value("I ask the operator")
    await pool.execute("UPDATE staff SET role = 'analyst' WHERE name = 'maker'")
    await page.get_by_role("button", name="Comment").click()
    await expect(page.locator("#history")).to_contain_text("I ask the operator")

    await page.get_by_text("Ignore it").click()
    await page.get_by_label("Why it may be left alone").fill("a test user")
    await page.get_by_label("For how long").select_option("1 day")
    await page.get_by_role("button", name="Ignore", exact=True).click()
    await expect(page.locator(".tags")).to_contain_text("Ignored")
    await expect(page.locator("main")).to_contain_text("Ignored until")
    # The day is over: the very same difference is open again.
    await pool.execute("UPDATE discrepancies SET ignored_until = now() - interval '1 second'")
    await cases.seen("u_1", "120.00")
    await page.reload()
    await expect(page.locator(".tags")).to_contain_text("Open")
    assert (await cases.read(case)).status is Status.OPEN
    (refused,) = window.faults
    assert "403" in refused


@pytest.mark.browser
async def test_who_is_signed_out_while_they_type_signs_in_beside_it_and_sends_it_then(
    windows: Windows, pool: Pool
) -> None:
    _, case, here = await a_case(pool)
    window = await windows.open()
    page = window.page
    await window.sign_in("maker")
    await window.open(here)
    comment = page.get_by_label("Comment")
    await comment.fill("I ask the operator")
    await pool.execute("UPDATE sessions SET revoked_at = clock_timestamp()")

    # Not even the preview, which asks the server at each stroke, leads away from what was typed.
    await page.get_by_label("Change the available money by").fill("10")
    await expect(page.locator("#lost")).to_contain_text("You are signed out.")
    send = page.get_by_role("button", name="Comment")
    await send.click()
    told = page.locator("#work").get_by_role("alert")
    await expect(told).to_contain_text("You were signed out before this was sent.")
    async with page.context.expect_page() as opened:
        await told.get_by_role("link", name="Sign in in another tab").click()
    tab = await opened.value
    await tab.get_by_label("Name").fill("checker")
    await tab.get_by_label("Password").fill(PASSWORD)
    await tab.keyboard.press("Enter")
    await tab.wait_for_url(f"{window.origin}/")
    await send.click()
    await expect(told).to_contain_text(
        "You have signed in again since this page was opened, as checker"
    )
    await expect(comment).to_have_value("I ask the operator")
    await send.click()

    await expect(page.locator("#history")).to_contain_text("I ask the operator")
    await expect(page.locator("#history")).to_contain_text("by checker")
    assert await Cases(pool).history(case) == [("run", "opened"), ("staff", "commented")]
    assert all(re.search("40[13]", fault) for fault in window.faults)
