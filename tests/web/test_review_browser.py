"""The journeys of those who set things right, in a browser with its console open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Windows
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser


async def test_from_a_proposal_to_its_approval_to_the_look_that_closes_it(
    windows: Windows, pool: Pool, week: Seeded
) -> None:
    maker, checker = await windows.open(), await windows.open()
    page = maker.page
    await maker.sign_in("maker")
    await maker.open(f"/discrepancies/{week.discrepancies['u_90911']}")
    await expect(page.get_by_label("Add to the available money")).to_have_value("+15.55")
    await expect(page.locator("#fix-preview")).to_contain_text("ledger and game agree")

    await page.get_by_label("Add to the available money").fill("10")
    await expect(page.locator("#fix-preview")).to_contain_text("+5.55 still")
    await page.get_by_label("Add to the available money").fill("15.55")
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
    await Cases(pool).agrees("u_90911", "EUR")  # as the run does that booking has started
    await page.reload()

    await expect(page.locator(".tags")).to_contain_text("Resolved")
    assert (maker.faults, checker.faults) == ([], [])


async def test_without_javascript_the_same_forms_do(windows: Windows, week: Seeded) -> None:
    window = await windows.open(java_script_enabled=False)
    page = window.page
    await window.sign_in("maker")
    await window.open(f"/discrepancies/{week.discrepancies['u_90911']}")

    await page.get_by_role("button", name="Assign").click()
    await expect(page.locator("#work header")).to_contain_text("maker")
    await page.get_by_label("Comment").fill("I ask the operator")
    await page.get_by_role("button", name="Comment").click()
    await expect(page.locator("#history")).to_contain_text("I ask the operator")
    await page.get_by_text("Ignore it").click()
    await page.get_by_label("Why it may be left alone").fill("a test user")
    await page.get_by_label("For how long").select_option("1 day")
    await page.get_by_role("button", name="Ignore").click()
    await expect(page.locator(".tags")).to_contain_text("Ignored")

    assert window.faults == []
