"""What a person does in a browser, with its console open."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.async_api import expect

from tests.web.test_bets import resting

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Window, Windows
    from tests.web.inbox import Inbox
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser

_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def paths(week: Seeded) -> list[str]:
    """Every kind of page, empty ones included."""
    return [
        "/",
        "/discrepancies",
        "/discrepancies?status=all&limit=5",
        "/discrepancies?q=zzz",
        f"/discrepancies?run_id={week.runs[-1]}",
        f"/discrepancies/{week.discrepancies['u_81230']}",
        f"/discrepancies/{week.discrepancies['u_20466']}",
        "/runs",
        f"/runs/{week.runs[-1]}",
        "/wallets/u_48213/GBP",
        "/wallets?user_id=u_48213",
        "/audit",
        "/settings",
        "/approvals",
        "/approvals?state=booked",
        "/nowhere",
    ]


def inbox_paths(inbox: Inbox) -> list[str]:
    """The inbox, every fate of a delivery, and what a replay would do."""
    return [
        "/webhooks",
        "/webhooks?state=repeated",
        *(f"/deliveries/{one}" for one in (inbox.booked, inbox.suspended, inbox.unusable)),
        f"/deliveries/{inbox.fixable}/replay",
        f"/deliveries/{inbox.unusable}/replay",
    ]


async def test_sign_in_find_the_worst_and_understand_it(windows: Windows, week: Seeded) -> None:
    window = await windows.open()
    page = window.page

    await window.open(f"/discrepancies/{week.discrepancies['u_48213']}")
    await expect(page).to_have_url(re.compile(r"/sign-in\?next=/discrepancies/"))
    await page.get_by_label("Name").fill("maker")
    await page.get_by_label("Password").fill("correct horse battery")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("u_48213 is out by +20.00")

    await page.get_by_role("link", name="Overview", exact=True).click()
    await page.get_by_role("link", name=re.compile("^Unexplained 15.55 EUR")).click()
    await expect(page.locator("table.rows tbody tr")).to_have_count(2)
    await page.get_by_role("link", name="Severity").click()
    await page.get_by_role("link", name="u_20466").click()
    await expect(page.get_by_text("nothing accounts for it")).to_be_visible()
    await expect(page.get_by_text("41 postings since version 3")).to_be_visible()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(f"{window.origin}/sign-in")

    assert window.faults == []


async def test_a_part_of_the_equation_leads_to_its_row_and_on_to_the_entry(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in()
    await window.open(f"/discrepancies/{week.discrepancies['u_81230']}")

    await page.get_by_role("link", name="Duplicate +11.50").click()
    await expect(page.locator("#part-2:target")).to_be_visible()
    await page.locator("#part-2").get_by_role("link", name="posting 6").click()
    await expect(page.locator("#v6:target")).to_contain_text("Bet payout")

    assert window.faults == []


async def test_a_filter_narrows_the_list_without_a_reload_and_stands_in_the_address(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in()
    await window.open("/discrepancies")
    await page.evaluate("document.body.dataset.kept = 'yes'")

    await page.get_by_label("Currency").select_option("EUR")
    await expect(page.locator("table.rows tbody tr")).to_have_count(2)
    await expect(page).to_have_url(f"{window.origin}/discrepancies?currency=EUR")
    assert await page.evaluate("document.body.dataset.kept") == "yes"

    await page.go_back()
    await expect(page.locator("table.rows tbody tr")).to_have_count(len(week.discrepancies))
    kept = await page.evaluate("JSON.stringify([localStorage, sessionStorage])")
    assert "u_90911" not in kept, "htmx keeps no page in the browser's storage"
    assert window.faults == []


async def test_everything_works_without_javascript(windows: Windows, week: Seeded) -> None:
    window = await windows.open(java_script_enabled=False)
    page = window.page
    await window.sign_in()

    await window.open("/discrepancies")
    await page.get_by_label("Currency").select_option("EUR")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("table.rows tbody tr")).to_have_count(2)
    await page.get_by_role("link", name="u_90911").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text("+15.55")
    await window.open("/")
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_text("A run is under way since")).to_be_visible()

    assert week.runs
    assert window.faults == []


async def test_the_keyboard_alone_suffices(windows: Windows, week: Seeded) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in()

    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("g")
    await page.keyboard.press("d")
    await expect(page).to_have_url(f"{window.origin}/discrepancies")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("u_71554")
    await page.keyboard.press("/")
    await page.keyboard.type("u_64019")
    await page.keyboard.press("Enter")
    await expect(page.locator("table.rows tbody tr")).to_have_count(1)

    assert week.runs
    assert window.faults == []


async def test_a_run_under_way_is_followed_and_its_end_shown(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in()
    await page.get_by_role("button", name="Run now").click()
    await expect(page.get_by_text("A run is under way since")).to_be_visible()
    await expect(page.get_by_role("button", name="Run now")).to_have_count(0)

    await windows.pool.execute(
        "UPDATE runs SET state = 'finished', finished_at = now(), total = 9, compared = 9,"
        " agreed = 9 WHERE state = 'running'"
    )

    await expect(page.get_by_text("9 of 9 wallets agree")).to_be_visible()
    await expect(page.get_by_role("button", name="Run now")).to_be_visible()
    assert week.runs
    assert window.faults == []


async def test_axe_finds_no_violation_on_any_page_in_light_or_dark(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    await window.open("/sign-in")
    found = await _violations(window, "/sign-in")
    await window.sign_in()
    found |= await _violations_of_all(window, paths(week))
    await window.page.context.clear_cookies()
    await window.sign_in("root")
    await window.open("/settings")
    found |= await _violations(window, "/settings of an administrator")

    assert len(found) == 2 * 18
    assert found == {page: [] for page in found}
    (not_found,) = window.faults
    assert "404" in not_found, "the console complains of the page that is not there, and no more"


async def test_axe_finds_no_violation_in_the_inbox_nor_of_a_bet_in_light_or_dark(
    windows: Windows, inbox: Inbox, pool: Pool
) -> None:
    bet_id, _ = await resting(pool)
    window = await windows.open()
    await window.sign_in()
    found = await _violations_of_all(window, [*inbox_paths(inbox), f"/bets/{bet_id}"])

    assert len(found) == 2 * 8
    assert found == {page: [] for page in found}
    assert window.faults == []


async def _violations_of_all(window: Window, pages: list[str]) -> dict[str, list[str]]:
    """What axe has to say of pages with everything on them unfolded."""
    found: dict[str, list[str]] = {}
    for path in pages:
        await window.open(path)
        # One that is opened is folded no more: the first is always the next.
        folded = window.page.locator("details:not([open]) > summary")
        while await folded.count():
            await folded.first.click()
        found |= await _violations(window, path)
    return found


async def _violations(window: Window, path: str) -> dict[str, list[str]]:
    """What axe has to say of a page, in light and in dark.

    Its script comes in from outside the page, past the content policy. What it passes is not asked
    for one by one: that is most of its answer, and no part of the verdict.
    """
    await window.page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = {}
    for scheme in _SCHEMES:
        # At once: a colour that is still on its way from the other scheme is nobody's.
        await window.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        result: dict[str, Any] = await window.page.evaluate(
            "axe.run({resultTypes: ['violations']})"
        )
        found[f"{path} in {scheme}"] = [
            f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
    return found
