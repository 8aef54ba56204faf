"""What stands on the overview is what stands behind its links, number by number."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from recon.reconciliation import list_incidents
from tests.web.many import discrepancies
from tests.web.seeding import seed_incident
from tests.web.test_pages import words

if TYPE_CHECKING:
    import pytest

    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.seeding import Seeded

_PARTLY = """
UPDATE discrepancies
SET unexplained = 500, explained = difference - 500, unexplained_since = now()
WHERE user_id = any('{u_48213,u_33100}')
"""
_CASES = """
INSERT INTO cases (case_id, kind, reference, user_id, currency, amount, reason)
SELECT gen_random_uuid(), kind, 'd-' || n, 'u_' || n, 'GBP', n, 'nobody was heard'
FROM generate_series(1, 3) AS n, unnest('{payment_overdue,suspended}'::text[]) AS kind
"""


async def listed(site: Site, href: str) -> int:
    """How many rows a list of discrepancies has."""
    status, page = await site.get(f"{href}{'&' if '?' in href else '?'}limit=500")
    assert status == 200, href
    assert 'rel="next"' not in page
    return page.count('name="id" value=')


def cards(page: str) -> dict[str, tuple[str, str]]:
    """Where each card leads, and what it says."""
    found = re.findall(
        r'<a class="card" href="([^"]+)">\s*<h2>([^<]+)</h2>(.*?)</a>', page, re.DOTALL
    )
    return {name: (unescape(href), words(text)) for href, name, text in found}


async def test_each_number_of_the_overview_is_the_count_of_the_list_that_it_links_to(
    site: Site, pool: Pool, week: Seeded
) -> None:
    await pool.execute(_PARTLY)
    await pool.execute(_CASES)
    await seed_incident(pool, week)
    await pool.execute(
        "UPDATE discrepancies SET first_run_id = $1 WHERE user_id <> 'u_10077'", week.runs[-1]
    )
    await site.sign_in("maker")
    _, page = await site.get("/?currency=GBP")
    figures = cards(page)

    # The cards: how many, and of what nothing explains how much.
    href, said = figures["Unexplained"]
    _, behind = await site.get(href)
    assert said == "5.00 GBP 20.55 EUR 1,250.00 USD 4 wallets"
    assert await listed(site, href) == 4
    totals = re.findall(
        r'<th scope="row">([A-Z]{3})</th>.*?<td class="num">([^/]+?)</span></td>\s*</tr>',
        behind,
        re.DOTALL,
    )
    assert {
        (currency, words(cells).rpartition(" ")[2] or words(cells)) for currency, cells in totals
    } == {("EUR", "20.55"), ("GBP", "5.00"), ("USD", "1,250.00")}
    for name in ("Open", "Waiting for you"):
        href, said = figures[name]
        assert await listed(site, href) == int(said.split()[0]) > 0, name
    href, said = figures["Cases"]
    assert said == "6 3 overdue payments"
    assert len(re.findall(r"<code>d-\d</code>", (await site.get(href))[1])) == 6
    href, said = figures["Oldest"]
    assert "u_20466" in said
    assert "u_20466" in words((await site.get(href))[1])
    href, said = figures["Agreement"]
    assert said.rpartition("% ")[2].removesuffix(" wallets") in words((await site.get(href))[1])

    # The bars, both numbers of each.
    bars = re.findall(
        r'<th scope="row"><a href="([^"]+)">[^<]*</a></th>\s*<td>.*?</td>'
        r'\s*<td class="num">(\d+)</td>'
        r'\s*<td class="num part">(?:<a href="([^"]+)"[^>]*>(\d+)</a>)?',
        page,
        re.DOTALL,
    )
    assert len(bars) > 8
    for href, rows, of_part, part in bars:
        assert await listed(site, unescape(href)) == int(rows), href
        if part:
            assert await listed(site, unescape(of_part)) == int(part) > 0, of_part
    assert sum(int(part) for *_, part in bars if part) == 2 * 4

    # Each run of the drift, the incident, and what is new.
    runs = re.findall(
        r'<td><a href="(/discrepancies[^"]+run_id=[^"]+)">.*?</a></td>'
        r'\s*<td class="num">(\d+)</td>',
        page,
    )
    assert len(runs) == 29
    for href, rows in runs[:4]:
        assert await listed(site, unescape(href)) == int(rows), href
    link = re.search(r'href="([^"]+)">(\d+) wallets miss webhooks', page)
    assert link is not None
    assert await listed(site, unescape(link[1])) == int(link[2]) == 3
    link = re.search(r'href="([^"]+)">All (\d+)</a>', page)
    assert link is not None
    assert await listed(site, unescape(link[1])) == int(link[2]) == 8
    assert "8 new in the last run" in figures["Open"][1]
    assert 'href="/discrepancies?unexplained=yes">what nothing explains' in page
    assert "4 wallets unexplained." in words(page)


async def test_what_a_run_saw_so_long_ago_that_only_its_sums_are_known_leads_to_the_run(
    site: Site, pool: Pool, week: Seeded
) -> None:
    await pool.execute("UPDATE runs SET forgotten_at = now() WHERE run_id = $1", week.runs[0])
    await site.sign_in("maker")
    _, page = await site.get("/?currency=GBP")

    for run_id in week.runs[:2]:
        href = f"/discrepancies?status=all&amp;currency=GBP&amp;run_id={run_id}"
        assert (page.count(f'href="{href}"'), page.count(f'href="/runs/{run_id}"')) == (
            (0, 4) if run_id == week.runs[0] else (2, 2)
        )


async def test_what_is_counted_row_by_row_is_counted_so_far_and_says_so(
    site: Site, pool: Pool, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await discrepancies(owner, 1000)
    await pool.execute(_CASES)
    incident = "0192f3a1-4c02-7d3b-9e11-52a0c6d0f001"
    await pool.execute(
        "INSERT INTO incidents (incident_id, cause, root, from_at, until_at)"
        " VALUES ($1, 'missing_webhook', 'stripe_uk', now(), now())",
        incident,
    )
    await pool.execute("UPDATE discrepancies SET incident_id = $1, assignee = 'maker'", incident)
    for module in ("overview", "views.overview"):
        monkeypatch.setattr(f"recon.web.{module}.ADDED_UP", 5)
    await site.sign_in("maker")
    _, page = await site.get("/")
    figures = cards(page)

    assert figures["Open"][1].startswith("750 ")
    assert figures["Waiting for you"][1].startswith("more than 5 assigned to you")
    assert figures["Cases"][1].startswith("more than 5 ")
    assert "more than 5 wallets miss webhooks of stripe_uk" in words(page)
    assert "still open" not in words(page)
    async with pool.acquire() as connection:
        (whole,) = await list_incidents(connection, only_open=True)
    assert (whole.discrepancies, whole.more_than) == (1000, None)
