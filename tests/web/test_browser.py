"""What a person does in a browser, with its console open."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from playwright.async_api import expect

from recon.web import create_sign_in_link
from tests.web.deciding import seed_decisions
from tests.web.test_bets import resting
from tests.web.test_settlements import imported

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Window, Windows
    from tests.web.inbox import Inbox
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser

_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# Of axe's rules, these look at colours; the colours are all that a scheme changes.
_ASKED: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},
}


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
        "/wallets/u_48213/GBP/compared",
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
    page, wire = window.page, await window.wire("**/discrepancies?*user_id=*")
    await window.sign_in()
    await window.open("/discrepancies")
    await page.evaluate("document.body.dataset.kept = 'yes'")

    await page.get_by_label("Currency").select_option("EUR")
    await expect(page.locator("table.rows tbody tr")).to_have_count(2)
    await expect(page).to_have_url(f"{window.origin}/discrepancies?currency=EUR")
    assert await page.evaluate("document.body.dataset.kept") == "yes"

    await expect(page.locator("#spoken")).to_have_text("2 rows")
    await expect(page.get_by_role("link", name="Clear")).to_be_visible()
    await expect(page.locator("#views [aria-current]")).to_have_count(0)

    # Typed and sent by return, it is one step; what cannot be had does not pass for an answer.
    await page.get_by_label("Any id", exact=True).fill("u_9")
    await page.keyboard.press("Enter")
    await expect(page.locator("table.rows tbody tr")).to_have_count(1)
    wire.cut()
    await page.get_by_label("Player").fill("nobody")
    await page.keyboard.press("Enter")
    await expect(page.locator("#lost")).to_contain_text("There is no answer.")
    await expect(page.locator("table.rows tbody tr")).to_have_count(1)
    assert window.faults.pop().startswith("error: ")
    window.faults.clear()

    await page.go_back()
    await expect(page.locator("table.rows tbody tr")).to_have_count(2)
    await page.wait_for_load_state()
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
    page, press = window.page, window.page.keyboard.press
    await window.sign_in()

    await press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await press("Enter")
    await press("Tab")
    assert await page.evaluate("document.activeElement.closest('main') !== null")
    await press("g")
    await press("d")
    await expect(page).to_have_url(f"{window.origin}/discrepancies")
    keys = page.locator("#keys")
    await press("j")
    await press("?")
    await expect(keys).to_have_attribute("open", "")
    await expect(keys.locator("summary")).to_be_focused()
    await press("Escape")
    await expect(keys).not_to_have_attribute("open", "")

    await press("/")
    await press("Escape")
    await press("/")
    await page.keyboard.type("u_64019")
    await press("Enter")
    await expect(page.locator("table.rows tbody tr")).to_have_count(1)
    await press("j")
    await press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_contain_text("u_64019")

    assert week.runs
    assert window.faults == []


async def test_rows_are_selected_and_ignored_by_keys_alone(windows: Windows, week: Seeded) -> None:
    window = await windows.open()
    page, press = window.page, window.page.keyboard.press
    await window.sign_in()
    await window.open("/discrepancies")

    # A row that is clicked is where one is, too.
    await press("j")
    await press("j")
    await press("k")
    await press("x")
    await press("j")
    await press("x")
    selected, boxes = page.locator("#selected"), page.locator("#bulk tbody input[type=checkbox]")
    await expect(selected).to_contain_text("2 selected")
    await boxes.nth(4).click()
    await press("j")
    await press("x")
    await expect(boxes.nth(5)).to_be_checked()
    await expect(selected).to_contain_text("4 selected")

    # No key is a shortcut where one types, nor with a modifier; return takes no step unasked.
    reason = page.get_by_label("Why they may be left alone")
    await reason.focus()
    await page.keyboard.type("x/?jgo")
    await press("Enter")
    await expect(reason).to_have_value("x/?jgo")
    await expect(page).to_have_url(f"{window.origin}/discrepancies")
    await press("Tab")
    await press("Tab")
    await expect(page.get_by_role("button", name="Ignore")).to_be_focused()
    await press("Control+x")
    await expect(selected).to_contain_text("4 selected")
    await press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("4 are ignored")
    await expect(page.locator("#main")).to_be_focused()

    ignored = "SELECT count(*) FROM discrepancies WHERE status = 'ignored'"
    assert await windows.pool.fetchval(ignored) == 4
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

    # The list of runs is drawn anew all the while: whoever is on a row stays there.
    other = await window.beside("/runs")
    await other.keyboard.press("j")
    await other.evaluate("document.querySelector('#runs-table').dataset.old = 'yes'")
    await expect(other.locator("#runs-table:not([data-old])")).to_be_visible()
    await expect(other.locator("table.rows tbody th a").first).to_be_focused()

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
    found = await violations(window, "/sign-in")
    await window.sign_in()
    found |= await _violations_of_all(window, paths(week))
    await window.page.context.clear_cookies()
    link = await create_sign_in_link(windows.pool, "root", timedelta(minutes=30))
    await window.open(f"/sign-in/once/{link}")
    found |= await violations(window, "/sign-in/once")
    await window.page.get_by_role("button", name="Sign in as root").click()
    await window.page.wait_for_url("**/")
    await window.open("/settings")
    found |= await violations(window, "/settings of an administrator")

    assert len(found) == 2 * 20
    assert found == {page: [] for page in found}
    (not_found,) = window.faults
    assert "404" in not_found, "the console complains of the page that is not there, and no more"


async def test_axe_finds_no_violation_in_the_inbox_nor_of_what_is_decided_in_light_or_dark(
    windows: Windows, inbox: Inbox, pool: Pool, week: Seeded
) -> None:
    bet_id = await seed_decisions(pool, week)
    resting_id, _ = await resting(pool, player="u_8")
    file = await imported(pool)
    window = await windows.open()
    await window.sign_in("checker")
    decided = [
        "/approvals",
        f"/discrepancies/{week.discrepancies['u_20466']}",
        f"/discrepancies/{week.discrepancies['u_33100']}",
        f"/bets/{bet_id}",
        f"/bets/{resting_id}",
        "/cases",
        "/settlements",
        f"/settlements/{file.file_id}",
        "/wallets",
    ]
    found = await _violations_of_all(window, [*inbox_paths(inbox), *decided])

    assert len(found) == 2 * 16
    assert found == {page: [] for page in found}
    assert window.faults == []


async def _violations_of_all(window: Window, pages: list[str]) -> dict[str, list[str]]:
    """What axe has to say of pages with everything on them unfolded."""
    found: dict[str, list[str]] = {}
    for path in pages:
        await window.open(path)
        await window.page.evaluate(
            "for (const folded of document.querySelectorAll('details')) folded.open = true"
        )
        found |= await violations(window, path)
    return found


async def violations(window: Window, path: str) -> dict[str, list[str]]:
    """What axe has to say of a page in light, and of its colours in dark.

    Its script comes in from outside the page, past the content policy. What it passes is not asked
    for one by one: that is most of its answer, and no part of the verdict.
    """
    await window.page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = {}
    for scheme in _SCHEMES:
        # At once: a colour that is still on its way from the other scheme is nobody's.
        await window.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        result: dict[str, Any] = await window.page.evaluate(
            "asked => axe.run({resultTypes: ['violations'], ...asked})", _ASKED[scheme]
        )
        found[f"{path} in {scheme}"] = [
            f"{violation['id']}: {node['html'][:120]} {node['failureSummary'][:200]}"
            for violation in result["violations"]
            for node in violation["nodes"]
        ]
    return found
