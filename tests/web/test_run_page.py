"""The page of one run: what it came to, why, and how that differs from the run before."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from playwright.async_api import expect

from recon.clock import new_id, now
from recon.reconciliation import abandon_run, forget_seen
from tests.web.test_pages import words

if TYPE_CHECKING:
    from tests.web.conftest import Site, Windows
    from tests.web.seeding import Seeded


async def test_a_run_says_what_it_came_to_and_how_that_differs_from_the_run_before(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("watcher")
    newest, before = week.runs[-1], week.runs[-2]
    await site.pool.execute(
        "UPDATE runs SET opened = 4, persisting = 5, reopened = 1, healed = 2, finished_at ="
        " started_at + interval '9.2 s' WHERE run_id = $1",
        newest,
    )
    await site.pool.execute(
        "INSERT INTO run_tolerances (run_id, currency, tolerance, wallets, amount)"
        " VALUES ($1, 'EUR', 5, 3, 11)",
        newest,
    )

    status, html = await site.get(f"/runs/{newest}")

    said = words(html)
    assert status == 200
    assert "Complete: 9,990 of 10,000 wallets agree, 3 of them only within a tolerance, 9 " in said
    assert "9 differ, 1 is in flight. Begin with what is new." in said
    assert "Compared 10,000 of 10,000 Agreed 9,990 99.90 % of those compared" in said
    assert "Differ 9 5 known before New 4 and 1 came back Healed 2" in said
    assert "Not compared 0 1 in flight" in said
    # Six hours before, four of these nine were not there yet: 20.00 + 36.50 + 60.00 GBP and yen.
    assert "GBP 5 +3 196.50 0.00 0.00 +36.50 +116.50" in said
    assert "JPY 1 +1 1,500 0 0 +1,500 +1,500" in said
    assert "EUR 2 0 12.00 15.55 0.00 +3.55 0.00" in said
    assert "Took 9.2 s Trigger schedule Scope wallets that changed" in said
    assert "EUR 0.05 3 0.11" in said
    for there in (
        *(f"/runs/{before}", f"/discrepancies?status=all&amp;run_id={newest}"),
        f"/discrepancies?status=all&amp;new_in={newest}",
    ):
        assert f'href="{there}"' in html
    listed = (await site.get("/runs"))[1]
    assert f'" href="/runs/{newest}">' in listed


async def test_what_healed_in_a_run_or_came_back_is_listed_page_by_page(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("watcher")
    run_id = week.runs[-1]
    for number, standing in enumerate(("healed", "reopened", "healed", "persisting")):
        await site.pool.execute(
            "INSERT INTO run_discrepancies (run_id, user_id, discrepancy_id, currency, standing,"
            " difference, explained, unexplained, available_difference, ledger_version,"
            " ledger_available, ledger_held, game_available, game_held)"
            " VALUES ($1, $2, $3, 'GBP', $4, 2000, 0, 2000, 2000, 1, 0, 0, 2000, 0)",
            *(run_id, f"u/{number}?", new_id(), standing),
        )
    seen: list[tuple[str, str]] = []
    path = f"/runs/{run_id}?limit=2"
    while path:
        html = (await site.get(path))[1]
        seen += re.findall(
            r"title=\"(u/\d\?)\".*?<span class=\"tag [^>]*>([^<]+)<", html, re.DOTALL
        )
        following = re.search(rf'href="(/runs/{run_id}\?cursor=[^"#]+)#returned" rel="next"', html)
        path = f"{following[1]}&limit=2" if following else ""

    assert seen == [("u/0?", "healed"), ("u/1?", "came back"), ("u/2?", "healed")]
    assert f'href="/runs/{run_id}/export"' in html
    rows = (await site.get(f"/runs/{run_id}/export"))[1].splitlines()
    assert [row.split(",")[1:5] for row in rows[1:]] == [
        ["u/0?", "healed", "GBP", "20.00"],
        ["u/1?", "reopened", "GBP", "20.00"],
        ["u/2?", "healed", "GBP", "20.00"],
    ]
    assert (await site.get(f"/runs/{new_id()}/export"))[0] == 404


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            "state = 'incomplete', not_compared = 40, reason = 'the game did not answer'",
            (
                "Incomplete: the game did not answer. 9,990 of 10,000 wallets agree, 9 differ,"
                " of 40 nothing is known. What it compared holds."
            ),
        ),
        ("state = 'failed', reason = 'no such host'", "It failed: no such host. Nothing of it"),
        ("dry_run = true", "It was dry: it opened, changed and healed nothing."),
    ],
)
async def test_a_run_that_is_no_whole_one_says_why_and_what_to_do(
    site: Site, week: Seeded, change: str, told: str
) -> None:
    await site.sign_in("watcher")
    await site.pool.execute(f"UPDATE runs SET {change} WHERE run_id = $1", week.runs[-1])  # noqa: S608 - the test's own words

    assert told in words((await site.get(f"/runs/{week.runs[-1]}"))[1])


async def test_what_is_no_run_is_not_found_and_nobody_starts_one_of_no_scope(site: Site) -> None:
    await site.sign_in("maker")
    for nowhere in (f"/runs/{new_id()}", "/runs/none", f"/runs/{new_id()}/progress"):
        assert (await site.get(nowhere))[0] == 404
    status, page, _ = await site.act("/runs", scope="users")
    assert (status, "Choose what to compare" in page) == (400, True)
    status, _, headers = await site.act("/runs", scope="all")
    run_id = UUID(headers["Location"].removeprefix("/runs/"))
    assert (
        status,
        await site.pool.fetchval("SELECT scope FROM runs WHERE run_id = $1", run_id),
    ) == (
        303,
        "all",
    )
    await site.sign_in("watcher")
    assert "Your role, viewer, starts no runs" in words((await site.get("/runs"))[1])
    assert (await site.act("/runs", scope="all"))[0] == 403


@pytest.mark.browser
async def test_a_run_is_started_over_everything_and_followed_on_its_page(
    windows: Windows, site: Site
) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in()
    await window.open("/runs")
    await page.get_by_label("What to compare").select_option("Every wallet")
    await page.get_by_role("button", name="Run now").click()
    progress = page.locator("#run-progress")
    await expect(progress).to_contain_text("finding the wallets")
    await page.evaluate("document.body.dataset.loaded = 'once'")

    run_id = await site.pool.fetchval("SELECT run_id FROM runs")
    await site.pool.execute(
        "UPDATE runs SET total = 4, compared = 3, agreed = 3 WHERE run_id = $1", run_id
    )
    await expect(progress).to_contain_text("3 of 4 wallets looked at")
    assert await page.evaluate("document.body.dataset.loaded") == "once"
    await abandon_run(site.pool, run_id, "for the test")

    await expect(page.locator(".verdict")).to_contain_text("for the test")
    await expect(progress).to_have_count(0)
    assert window.faults == []


async def test_a_run_whose_sightings_are_forgotten_says_so_and_leads_to_no_empty_list(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("watcher")
    newest = week.runs[-1]
    await forget_seen(site.pool, now() + timedelta(minutes=1))

    _, html = await site.get(f"/runs/{newest}")

    assert "What a run of that age saw is not known one by one any more" in words(html)
    assert f"run_id={newest}" not in html
    assert "GBP 5" in words(html), "its sums are"
