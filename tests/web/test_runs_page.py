"""The page of runs: a run that is under way moves by itself, and what was tolerated is shown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from recon.clock import new_id
from recon.reconciliation import RunScope, abandon_run, start_run
from tests.web.test_pages import words

if TYPE_CHECKING:
    from tests.web.conftest import Site, Windows


async def test_a_run_under_way_is_shown_live_and_without_javascript_it_says_how(
    site: Site,
) -> None:
    await site.sign_in("maker")
    run_id = await start_run(site.pool, RunScope.ALL, trigger="test", queued=False)
    await site.pool.execute(
        "UPDATE runs SET total = 40000, compared = 9000, agreed = 9000, cut_at = now(),"
        " started_at = now() - interval '2 seconds' WHERE run_id = $1",
        run_id,
    )
    await site.pool.execute(
        "INSERT INTO run_ranges (run_id, first_user, last_user, under_way)"
        " VALUES ($1, 'a', 'b', 1)",
        run_id,
    )

    _, page = await site.get("/runs")
    _, table = await site.get("/runs/table")
    await abandon_run(site.pool, run_id, "for the test")
    _, ended = await site.get("/runs/table")

    for shown in (page, table):
        assert 'hx-get="/runs/table"' in shown
        assert "comparing: 9,001 compared, " in words(shown)
        assert " s left" in words(shown)
    assert "Load the page again to see how far it is." in page
    assert "<html" not in table
    assert "hx-get" not in ended
    assert "for the test" in words(ended)


async def test_what_agreed_only_by_a_tolerance_is_shown_with_the_sum(site: Site) -> None:
    await site.sign_in("maker")
    run_id = await start_run(site.pool, RunScope.ALL, trigger="test", queued=False)
    await site.pool.execute(
        "INSERT INTO run_tolerances (run_id, currency, tolerance, wallets, amount)"
        " VALUES ($1, 'EUR', 5, 3, 11)",
        run_id,
    )

    assert "3 tolerated" in words((await site.get("/runs"))[1])


async def test_a_fault_that_stopped_a_run_is_an_incident_on_the_overview(site: Site) -> None:
    await site.sign_in("maker")
    await site.pool.execute(
        "INSERT INTO incidents (incident_id, cause, root, from_at, until_at, stopped_run_id,"
        " looked, differed) VALUES ($1, 'unexplained', 'the game', now(), now(), $1, 500, 498)",
        new_id(),
    )

    said = words((await site.get("/"))[1])

    assert "498 of 500 wallets differ and nothing explains it: the run stopped" in said


@pytest.mark.browser
async def test_a_run_under_way_moves_in_the_browser_until_it_ends_and_then_is_left_alone(
    windows: Windows, site: Site
) -> None:
    run_id = await start_run(site.pool, RunScope.ALL, trigger="test", queued=False)
    window = await windows.open()
    await window.sign_in()
    await window.open("/runs")
    await window.page.evaluate("document.body.dataset.loaded = 'once'")
    table = window.page.locator("#runs-table")
    await expect(table).to_contain_text("finding the wallets")

    await site.pool.execute(
        "UPDATE runs SET total = 4, compared = 3, agreed = 3 WHERE run_id = $1", run_id
    )
    await expect(table).to_contain_text("comparing: 3 compared")
    await abandon_run(site.pool, run_id, "for the test")
    await expect(table).to_contain_text("for the test")

    await expect(table).not_to_have_attribute("hx-get", re.compile("."))
    assert await window.page.evaluate("document.body.dataset.loaded") == "once"
    assert window.faults == []
