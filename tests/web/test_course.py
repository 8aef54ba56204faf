"""Ledger and game over time: what runs saw of a wallet, drawn, listed and exported."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from recon.clock import format_time
from tests.reconciliation.cases import Cases
from tests.web.test_orders import turned, walked
from tests.web.test_pages import words

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site, Windows
    from tests.web.seeding import Seeded


async def lived(pool: Pool) -> None:
    """Both agree at 10.00; the game has 2.50 more, 4.00 more, and then both agree at 14.00."""
    cases = Cases(pool)
    await cases.deposit("u/1", "10.00")
    await cases.agrees("u/1")
    await cases.seen("u/1", "12.50")
    await cases.seen("u/1", "12.50")
    await cases.seen("u/1", "14.00")
    await cases.deposit("u/1", "4.00")
    await cases.agrees("u/1")


async def test_a_wallet_shows_both_sides_wherever_they_were_compared(
    site: Site, pool: Pool
) -> None:
    await lived(pool)
    await site.sign_in("watcher")

    page = (await site.get("/wallets/u%2F1/GBP"))[1]
    said = words(page)

    assert re.search(
        r"[\d:]{8} 14.00 14.00 none agreed, the last time"
        r" [\d:]{8} 14.00 14.00 none agrees again"
        r" [\d:]{8} 10.00 14.00 \+4.00 another amount"
        r" [\d:]{8} 10.00 12.50 \+2.50 differs still"
        r" [\d:]{8} 10.00 12.50 \+2.50 first seen",
        said,
    ) or re.search(
        r"[\d:]{8} 14.00 14.00 none agrees again"
        r" [\d:]{8} 14.00 14.00 none agreed, the last time"
        r" [\d:]{8} 10.00 14.00 \+4.00",
        said,
    )
    assert len(re.findall(r'class="gap"', page)) == 3
    assert len(re.findall(r'class="point differs"', page)) == 3
    assert len(re.findall(r'class="point"', page)) == 2


async def test_as_of_an_instant_the_game_is_as_it_was_known_then(site: Site, pool: Pool) -> None:
    await lived(pool)
    await site.sign_in("watcher")
    changed, opened = [
        format_time(
            await pool.fetchval("SELECT seen_at FROM run_discrepancies WHERE standing = $1", one)
        )
        for one in ("changed", "opened")
    ]
    posted = format_time(await pool.fetchval("SELECT recorded_at FROM postings WHERE version = 1"))

    then = words((await site.get(f"/wallets/u%2F1/GBP?at={changed}"))[1])
    before = words((await site.get(f"/wallets/u%2F1/GBP?at={opened}"))[1])
    first = words((await site.get(f"/wallets/u%2F1/GBP?at={posted}"))[1])

    assert re.search(
        r"Last compared with the game before that [\d:]{8}: it differed by \+4.00 GBP."
        r" Now no discrepancy is open. Show it now",
        then,
    )
    assert ": it differed by +2.50 GBP." in before
    assert "+4.00" not in before
    assert "What the game showed then is not known." in first
    assert "by then no run had compared this wallet" in first


async def test_a_busy_wallet_is_drawn_as_far_back_as_its_postings_are_read(
    site: Site, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.web.course._POSTINGS", 2)
    await lived(pool)
    cases = Cases(pool)
    await cases.deposit("u/1", "1.00")
    await cases.deposit("u/1", "2.00")
    await site.sign_in("watcher")

    page = (await site.get("/wallets/u%2F1/GBP"))[1]
    at = format_time(await pool.fetchval("SELECT recorded_at FROM postings WHERE version = 4"))
    then = words((await site.get(f"/wallets/u%2F1/GBP?at={at}"))[1])

    assert re.search(
        r"The game was last compared [\d:]{8}, before what is drawn here.", words(page)
    )
    assert "<span>17.00</span><span>15.00</span>" in page
    assert 'class="point' not in page
    assert re.search(r"Last compared with the game before that [\d:]{8}: both agreed.", then)


async def test_what_is_held_for_bets_is_told_apart(site: Site, pool: Pool) -> None:
    cases = Cases(pool)
    await cases.deposit("u_1", "10.00")
    await cases.seen("u_1", "10.00", held="3.00")
    await site.sign_in("watcher")

    page = words((await site.get("/wallets/u_1/GBP"))[1])
    at = format_time(await pool.fetchval("SELECT seen_at FROM run_discrepancies"))
    then = words((await site.get(f"/wallets/u_1/GBP?at={at}"))[1])

    assert "10.00 10.00 +3.00 held for bets first seen" in page
    assert ": it differed by +3.00 GBP held for bets." in then


async def test_all_that_runs_saw_of_a_wallet_turns_round_pages_and_is_exported(
    site: Site, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.web.views.sightings.PAGE", 3)
    monkeypatch.setattr("recon.web.csv_pages.PAGE", 3)
    await lived(pool)
    cases = Cases(pool)
    await cases.deposit("u_2", "10.00")
    await cases.seen("u_2", "9.00")
    await site.sign_in("watcher")
    path, row = "/wallets/u%2F1/GBP/compared", r'<span class="tag [^>]*>([^<]+)<'

    straight, page = await walked(site, path, row)
    sort, round_about = turned(page, "Compared")
    back, other = await walked(site, round_about, row)
    link = re.search(r'<a href="([^"]+)">Export CSV', other)
    assert link is not None
    file = list(csv.DictReader(io.StringIO((await site.get(unescape(link[1])))[1])))

    assert straight == [
        *("agrees again", "another amount", "differs still"),
        "first seen",
    ]
    assert (sort, back) == ("descending", straight[::-1])
    names = ("standing", "ledger_version", "ledger_available", "game_available", "difference")
    assert [tuple(one[name] for name in names) for one in file] == [
        ("opened", "1", "10.00", "12.50", "2.50"),
        ("persisting", "1", "10.00", "12.50", "2.50"),
        ("changed", "1", "10.00", "14.00", "4.00"),
        ("healed", "2", "14.00", "14.00", "0.00"),
    ]


async def test_a_wallet_that_always_agreed_and_one_that_is_none_say_so(
    site: Site, pool: Pool
) -> None:
    cases = Cases(pool)
    await cases.deposit("u_1", "10.00")
    await site.sign_in("watcher")

    never = words((await site.get("/wallets/u_1/GBP"))[1])
    await cases.agrees("u_1")
    agreed = words((await site.get("/wallets/u_1/GBP"))[1])
    listed = words((await site.get("/wallets/u_1/GBP/compared"))[1])

    assert "The ledger's side only: no run has compared this wallet with the game" in never
    assert re.search(r"[\d:]{8} 10.00 10.00 none agreed, the last time", agreed)
    assert "No run has seen it differ" in listed
    for path in ("compared", "compared/export"):
        assert (await site.get(f"/wallets/u_1/EUR/{path}"))[0] == 404
    for odd in ("bm9uZQ==", "MjAyNiBhIGI="):
        assert (await site.get(f"/wallets/u_1/GBP/compared?cursor={odd}"))[0] == 400


@pytest.mark.browser
async def test_a_point_of_the_drawing_leads_to_its_discrepancy(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in("watcher")
    await window.open("/wallets/u_48213/GBP")

    point = page.get_by_role("link", name=re.compile(r"game .*\+20\.00 GBP")).last
    ledger = await page.locator("path.ledger").bounding_box()
    gap = await page.locator("path.gap").last.bounding_box()
    assert ledger is not None
    assert gap is not None
    assert ledger["width"] > 600
    assert gap["height"] > 10
    await point.focus()
    await page.keyboard.press("Enter")

    await expect(page).to_have_url(re.compile(str(week.discrepancies["u_48213"])))
    assert window.faults == []
