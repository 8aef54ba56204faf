"""A player's wallets: found by id, shown as of any instant, and their statement as a file."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from recon.clock import format_time
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site, Windows
    from tests.web.seeding import Seeded


async def test_a_players_wallets_are_found_by_their_id(site: Site, pool: Pool) -> None:
    cases = Cases(pool)
    await cases.deposit("u/1", "12.50")
    await cases.deposit("u/1", "300", "JPY")
    await site.sign_in("watcher")

    _, page = await site.get("/wallets?user_id=u%2F1")
    for shown in ('href="/wallets/u%2F1/GBP"', "12.50", 'href="/wallets/u%2F1/JPY"', "300"):
        assert shown in page
    assert "No wallet" in (await site.get("/wallets?user_id=u"))[1]
    assert "Whose wallets?" in (await site.get("/wallets"))[1]
    assert "12.50" in (await site.get("/wallets/u%2F1/GBP"))[1]


@pytest.mark.parametrize("user", ["u/1?x#y", "\"'<&>", "\N{SLOT MACHINE} 7", "x" * 255])
async def test_every_link_of_a_wallet_leads_somewhere_whatever_its_player_is_called(
    site: Site, pool: Pool, user: str
) -> None:
    cases = Cases(pool)
    for _ in range(60):
        await cases.deposit(user, "99999999999.99")
    case = await cases.seen(user, "1.00")
    await site.sign_in("watcher")

    for start in (f"/wallets/{quote(user, safe='')}/GBP", f"/discrepancies/{case}"):
        status, page = await site.get(start)
        assert status == 200
        links = {unescape(one) for one in re.findall(r'(?:href|action)="(/wallets/[^"]*)"', page)}
        assert links
        for link in links:
            status, there = await site.get(link)
            anchor = link.partition("#")[2]
            assert (status, f'id="{anchor}"' in there or not anchor) == (200, True), link
    for odd in ("v=x", "v=" + "9" * 5000, "v=0"):
        assert (await site.get(f"/wallets/{quote(user, safe='')}/GBP?{odd}"))[0] == 200


async def test_a_statement_has_every_entry_with_the_balance_after_it(
    site: Site, pool: Pool
) -> None:
    cases = Cases(pool)
    for amount in ("1.00", "2.00", "4.00"):
        await cases.deposit("u_1", amount)
    await site.sign_in("watcher")

    status, text = await site.get("/wallets/u_1/GBP/statement")
    header, *rows = list(csv.reader(io.StringIO(text)))
    place = {name: header.index(name) for name in header}
    assert status == 200
    assert [
        (row[place["version"]], row[place["amount"]], row[place["available_after"]]) for row in rows
    ] == [
        ("3", "4.00", "7.00"),
        ("2", "2.00", "3.00"),
        ("1", "1.00", "1.00"),
    ]
    second = await pool.fetchval("SELECT recorded_at FROM postings WHERE version = 2")
    _, text = await site.get(f"/wallets/u_1/GBP/statement?at={format_time(second)}")
    assert len(text.splitlines()) == 3
    assert (await site.get("/wallets/u_2/GBP/statement"))[0] == 404


@pytest.mark.browser
async def test_a_wallet_is_seen_as_of_a_past_instant(windows: Windows, week: Seeded) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in("watcher")
    await window.open("/wallets?user_id=u_81230")
    await page.get_by_role("link", name="u_81230").click()
    now = await page.locator(".rows tbody tr").count()
    third = page.locator(".rows tbody tr").nth(now - 3)
    at = await third.locator("time").get_attribute("datetime")
    available = await third.locator("td.num").nth(2).inner_text()
    assert at is not None

    await page.get_by_label("As of, UTC").fill(at[:19])
    await page.get_by_role("button", name="Show").click()

    await expect(page.get_by_role("heading", level=1)).to_contain_text("available, then")
    assert 0 < await page.locator(".rows tbody tr").count() < now
    assert available
    await page.get_by_role("link", name="Now", exact=True).click()
    await expect(page.locator(".rows tbody tr")).to_have_count(now)
    assert week.runs
    assert window.faults == []
