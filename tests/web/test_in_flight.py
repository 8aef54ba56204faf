"""What a person sees while an answer is on its way, and where none comes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from recon.clock import new_id
from tests.web.test_browser import violations

if TYPE_CHECKING:
    from playwright.async_api import Page

    from recon.db import Pool
    from tests.web.conftest import Windows
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser

_OUT = re.compile(r"[?&]currency=EUR")


async def top_of(page: Page, selector: str) -> float:
    """Where an element begins, from above."""
    box = await page.locator(selector).bounding_box()
    assert box is not None
    return box["y"]


async def test_a_list_that_is_asked_for_is_busy_and_stays_where_it_is(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    page, wire = window.page, await window.wire(_OUT)
    await window.sign_in()
    await window.open("/discrepancies")

    wire.hold()
    before = await top_of(page, "#results table.rows")
    await page.get_by_label("Currency").select_option("EUR")
    await expect(page.locator("#results")).to_have_attribute("aria-busy", "true")
    await expect(page.locator("#results")).to_have_css("opacity", "0.55")
    assert await top_of(page, "#results table.rows") == before
    wire.mend()
    await expect(page.locator("table.rows tbody tr")).to_have_count(2)
    await expect(page.locator("[aria-busy]")).to_have_count(0)
    await expect(page.locator("#says")).to_contain_text("2 match this filter")

    assert week.runs
    assert window.faults == []


async def test_a_list_without_an_answer_says_so_until_there_is_one(
    windows: Windows, week: Seeded, owner: Pool
) -> None:
    window = await windows.open()
    page, wire = window.page, await window.wire(_OUT)
    await window.sign_in()
    await window.open("/discrepancies")
    lost = page.get_by_role("alert")

    wire.cut()
    await page.get_by_label("Currency").select_option("EUR")
    await expect(lost).to_have_text(
        re.compile(
            r"^There is no answer\. What stands here is of \d\d:\d\d:\d\d UTC\. "
            r"Choose again, or load the page anew\.$"
        )
    )
    await expect(page.locator("table.rows tbody tr")).to_have_count(len(week.discrepancies))
    await expect(page.locator("[aria-busy]")).to_have_count(0)
    assert not any((await violations(window, "a list without an answer")).values())
    wire.mend()
    await page.get_by_role("button", name="Apply").click()
    await expect(lost).to_have_count(0)
    await expect(page.locator("table.rows tbody tr")).to_have_count(2)

    await owner.execute("ALTER TABLE discrepancies RENAME TO gone_away")
    await page.get_by_label("Currency").select_option("JPY")
    await expect(lost).to_contain_text(
        re.compile(r"^Something broke on our side\. What stands here is of")
    )
    assert any("ERR_CONNECTION_REFUSED" in fault for fault in window.faults)


async def test_progress_without_an_answer_says_since_when_it_is_old(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    page, wire, run_id = window.page, await window.wire("**/progress"), new_id()
    await windows.pool.execute(
        "INSERT INTO runs (run_id, scope, trigger, state, total, compared)"
        " VALUES ($1, 'changed', 'schedule', 'running', 100, 40)",
        run_id,
    )
    await window.sign_in()
    await window.open(f"/runs/{run_id}")
    await expect(page.get_by_text("40 of 100 wallets looked at")).to_be_visible()

    wire.cut()
    await expect(page.get_by_role("alert")).to_contain_text("It is asked for again by itself.")
    await expect(page.get_by_text("40 of 100 wallets looked at")).to_be_visible()
    wire.mend()
    await expect(page.get_by_role("alert")).to_have_count(0)

    assert week.runs
    assert all("REFUSED" in one or "error: htmx:" in one for one in window.faults)


async def test_a_form_on_its_way_is_busy_and_comes_back_with_what_was_typed(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    page, wire = window.page, await window.wire("**/comment")
    await window.sign_in()
    await window.open(f"/discrepancies/{week.discrepancies['u_48213']}")

    wire.hold()
    button = page.get_by_role("button", name="Comment", exact=True)
    await page.get_by_label("Comment").fill("asked the PSP")
    await button.click()
    await expect(button).to_have_attribute("aria-disabled", "true")
    await expect(button).to_be_focused()
    await expect(page.locator("form[aria-busy]")).to_have_count(1)
    wire.cut("connectionreset")
    await expect(page.get_by_role("alert")).to_have_text(
        "It did not get through. Nothing that you typed is lost: send it again."
    )
    await expect(page.get_by_label("Comment")).to_have_value("asked the PSP")
    await expect(page.locator("[aria-busy], [aria-disabled]")).to_have_count(0)
