"""What the pages say, and under which rules they are sent."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from recon.clock import format_time, new_id, now
from recon.game.handlers import GAME_WATCH
from recon.reconciliation import Cause, fold_tallies
from recon.web.discrepancy_list import DiscrepancyQuery, list_page
from recon.web.formatting import clock
from tests.reconciliation.cases import Cases
from tests.web.seeding import seed_incident, seed_week

if TYPE_CHECKING:
    from aiohttp.test_utils import TestServer

    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.seeding import Seeded

_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def words(html: str) -> str:
    """The text of a page on one line, as it is read, with a plain minus."""
    apart = re.sub(r"</(td|th|li|p|h2|dt|dd|div)>", " ", html)
    bare = re.sub(r"<(script|style|title)\b.*?</\1>|<[^>]*>", "", apart, flags=re.DOTALL)
    return " ".join(bare.replace("\N{MINUS SIGN}", "-").split())


@pytest.mark.parametrize("path", ["/", "/discrepancies", "/runs", "/webhooks", "/cases"])
async def test_every_page_says_since_when_the_game_is_out_of_reach(
    site: Site, server_at: TestServer, path: str
) -> None:
    await site.sign_in("watcher")
    watch, since = server_at.app[GAME_WATCH], now() - timedelta(minutes=5)
    _, before = await site.get(path)

    watch.others_since = since
    _, during = await site.get(path)
    watch.others_since = None
    _, after = await site.get(path)

    assert "The game has been out of reach since" in words(during)
    assert format_time(since) in during
    assert "Nothing is lost." in words(during)
    assert "out of reach" not in words(before) + words(after)


async def test_the_overview_tells_in_a_sentence_how_it_stands(site: Site, week: Seeded) -> None:
    await site.sign_in("maker")

    status, html = await site.get("/")

    assert status == 200
    said = words(html)
    assert "complete: 9,990 of 10,000 wallets agree" in said
    assert (
        "GBP out by +36.50, EUR out by +3.55, JPY out by +1,500, USD out by -1,250.00,"
        " 2 wallets unexplained." in said
    )
    assert "15.55 EUR 1,250.00 USD 2 wallets" in said
    assert "Open 9 4 new in the last run" in said
    assert "Oldest 9 d u_20466 -1,250.00 USD" in said
    assert "Waiting for you 1 assigned to you" in said
    assert f"run_id={week.runs[-1]}" in html


async def test_the_drift_of_the_runs_is_shown_and_what_each_opened_and_healed(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("maker")

    _, overview = await site.get("/?currency=GBP")
    _, runs = await site.get("/runs")

    assert "No drift to show" not in words(overview)
    # The newest run: 20.00 + 36.50 - 75.00 + 60.00 - 5.00, sizes and net.
    assert "5 196.50 0.00 +36.50" in words(overview)
    assert f"new_in={week.runs[-1]}" in runs


async def test_discrepancies_of_one_root_are_named_together(site: Site, week: Seeded) -> None:
    await site.sign_in("maker")
    incident_id = await seed_incident(site.pool, week)

    _, overview = await site.get("/")
    _, listed = await site.get(f"/discrepancies?status=all&incident_id={incident_id}")
    _, one = await site.get(f"/discrepancies/{week.discrepancies['u_48213']}")

    assert "3 wallets miss webhooks of stripe_uk" in words(overview)
    assert "+116.50 GBP" in words(overview)
    assert "GBP 3 " in words(listed)
    assert "Of incident" in words(listed)
    assert "One of 3 with the same root: 3 wallets miss webhooks of stripe_uk" in words(one)


async def test_before_the_first_run_nothing_is_claimed(site: Site) -> None:
    await site.sign_in("maker")

    said = words((await site.get("/"))[1])

    assert "No run has ended yet. Nothing is known" in said
    assert "Start the first run." in said
    assert "Agreement Unknown" in said
    assert "No drift to show" in said


async def test_whoever_starts_no_runs_is_not_told_to(site: Site, owner: Pool) -> None:
    await site.sign_in("watcher")

    before = words((await site.get("/"))[1])
    await seed_week(owner)
    await owner.execute("UPDATE runs SET finished_at = now() - interval '11 minutes'")
    after = words((await site.get("/"))[1])

    assert "The first run starts with the schedule, or when an analyst starts it." in before
    assert "Have an analyst start one, and find out why the schedule did not." in after
    for page in (before, after):
        assert "Start the first" not in page
        assert "Start a run" not in page


@pytest.mark.parametrize(
    ("change", "tone", "told"),
    [
        ("finished_at = now() - interval '11 minutes'", "bad", "It ended 11 min ago, longer than"),
        ("finished_at = now() - interval '9 minutes'", "watch", "Begin with what nothing explains"),
        (
            "state = 'incomplete', not_compared = 3, reason = 'the game did not answer'",
            "bad",
            "The game did not answer. What stands below may not be all.",
        ),
        ("state = 'failed', reason = 'no such host'", "bad", "It failed: no such host."),
    ],
)
async def test_a_run_too_old_or_not_whole_is_red_and_says_why(
    site: Site, week: Seeded, change: str, tone: str, told: str
) -> None:
    await site.pool.execute(f"UPDATE runs SET {change} WHERE run_id = $1", week.runs[-1])  # noqa: S608 - the test's own words
    await site.sign_in("watcher")

    html = (await site.get("/"))[1]

    assert f'class="verdict {tone}"' in html
    assert told in words(html)


async def test_the_verdict_alone_refreshes_until_the_run_has_ended(
    site: Site, week: Seeded
) -> None:
    await site.pool.execute(
        "INSERT INTO runs (run_id, scope, trigger, state, total, compared)"
        " VALUES ($1, 'all', 'staff:maker', 'running', 400, 100)",
        new_id(),
    )
    await site.sign_in("watcher")

    async with site.client.get("/verdict") as response:
        assert "100 of 400 wallets compared" in words(await response.text())
        assert "HX-Refresh" not in response.headers
    await site.pool.execute("UPDATE runs SET state = 'finished' WHERE state = 'running'")
    async with site.client.get("/verdict") as response:
        assert response.headers["HX-Refresh"] == "true"
    assert len(week.runs) == 29


@pytest.mark.parametrize(
    ("query", "users"),
    [
        ("cause=unexplained", ["u_90911", "u_20466"]),
        ("currency=EUR&sort=-size", ["u_90911", "u_33100"]),
        ("currency=EUR&sort=size", ["u_33100", "u_90911"]),
        ("assignee=maker", ["u_33100"]),
        ("age=older", ["u_20466"]),
        ("age=three_days&currency=GBP", ["u_10077", "u_64019"]),
        ("user_id=u_7155", []),
        ("q=u_7155", ["u_71554"]),
        ("q=tx_5501", ["u_71554"]),
        ("status=investigating", ["u_10077"]),
        ("status=cleared&q=u_past2", ["u_past26", "u_past24", "u_past23", "u_past22", "u_past2"]),
        ("sort=-severity&currency=USD", ["u_20466"]),
    ],
)
async def test_a_filter_in_the_address_shows_what_it_says(
    site: Site, week: Seeded, query: str, users: list[str]
) -> None:
    await site.sign_in("watcher")

    status, html = await site.get(f"/discrepancies?{query}")

    assert status == 200
    assert re.findall(r'<a class="id"[^>]*>([^<]+)</a>', html) == users
    assert week.discrepancies


async def test_the_totals_are_of_the_whole_filter_not_of_the_page(site: Site, week: Seeded) -> None:
    await site.sign_in("watcher")

    said = words((await site.get("/discrepancies?currency=GBP&limit=1"))[1])

    assert "GBP 5 +116.50 -80.00 +36.50 0.00" in said
    assert "Next page" in said
    assert week.discrepancies


@pytest.mark.parametrize(
    "sort", ["age", "-age", "size", "-size", "severity", "-severity", "unexplained", "-unexplained"]
)
async def test_pages_of_any_order_show_every_row_once(site: Site, week: Seeded, sort: str) -> None:
    wanted = DiscrepancyQuery(status="all", sort=sort)
    async with site.pool.acquire() as connection:
        whole = await list_page(connection, wanted, now=now(), limit=500)
        paged, after = [], None
        while True:
            page = await list_page(connection, wanted, now=now(), after=after, limit=4)
            paged += page.rows
            after = page.after
            if after is None:
                break

    assert [row.discrepancy_id for row in paged] == [row.discrepancy_id for row in whole.rows]
    assert len({row.discrepancy_id for row in paged}) == len(paged) > len(week.discrepancies)


async def test_amounts_are_ordered_by_their_worth_in_whole_units(site: Site, week: Seeded) -> None:
    async with site.pool.acquire() as connection:
        found = await list_page(connection, DiscrepancyQuery(sort="-size"), now=now())

    # 1,500 yen before 1,250.00 dollars, though they are 1500 against 125000 minor units.
    assert [row.user_id for row in found.rows][:3] == ["u_55008", "u_20466", "u_10077"]
    assert week.discrepancies


async def test_an_empty_list_says_which_kind_of_empty_it_is(site: Site) -> None:
    await site.sign_in("watcher")

    said = words((await site.get("/discrepancies"))[1])
    assert "Nothing to review No difference has stood for the grace period of 2 min" in said
    assert "Nothing matches this filter" in (await site.get("/discrepancies?currency=CHF"))[1]


async def test_days_in_the_address_bound_when_a_discrepancy_was_first_seen(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("watcher")
    first = {
        user: (week.now - ago).date()
        for user, ago in (("u_20466", timedelta(days=9)), ("u_33100", timedelta(hours=80)))
    }

    async def users(query: str) -> list[str]:
        status, html = await site.get(f"/discrepancies?{query}")
        assert status == 200, query
        return re.findall(r'<th scope="row"><a class="id"[^>]*>([^<]+)<', html)

    assert await users(f"until={first['u_20466']}") == ["u_20466"]
    assert await users(f"until={first['u_20466'] - timedelta(days=1)}") == []
    assert await users(f"since={first['u_33100']}&until={first['u_33100']}") == ["u_33100"]
    assert set(await users(f"until={first['u_33100']}&currency=EUR")) == {"u_33100"}
    assert await users(f"since={first['u_33100']}&age=older") == []
    assert len(await users(f"since={first['u_20466']}")) == 9
    assert len(await users("since=0001-01-01&until=9999-12-31")) == 9
    await fold_tallies(site.pool)
    page = words((await site.get(f"/discrepancies?since={first['u_33100']}&sort=-size"))[1])
    assert "8 match this filter" in page
    page = words((await site.get(f"/discrepancies?until={first['u_20466']}"))[1])
    assert "1 matches this filter; without explanation 1,250.00 USD." in page
    page = words((await site.get(f"/discrepancies?until={first['u_20466'] - timedelta(1)}"))[1])
    assert "Nothing matches this filter" in page
    file = (await site.get(f"/discrepancies/export?format=csv&until={first['u_33100']}"))[1]
    assert len(file.splitlines()) == 3


async def test_the_drift_is_of_the_days_in_the_address(
    site: Site, week: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    await site.sign_in("watcher")
    day = (week.now - timedelta(days=3)).date()
    of_that_day = sum(
        (week.now - timedelta(hours=6 * number, minutes=2)).date() == day for number in range(29)
    )

    last = words((await site.get("/"))[1])
    page = (await site.get(f"/?currency=EUR&since={day}&until={day}"))[1]
    until = words((await site.get(f"/?until={day}"))[1])
    none = words((await site.get("/?until=2001-01-01"))[1])
    monkeypatch.setattr("recon.web.overview._RUNS_SHOWN", 5)
    spaced = words((await site.get("/?since=2001-01-01"))[1])

    assert "The last 29 runs" in last
    named = f"{day.day} {day:%b %Y}"
    assert f"From {named} until {named}: {of_that_day} runs" in words(page)
    assert f'href="/?since={day}&amp;until={day}&amp;currency=GBP"' in page
    assert f"Until {named}: " in until
    assert "No run ended in these days." in none
    assert "From 1 Jan 2001: 5 of 29 runs, evenly spaced" in spaced
    assert (await site.get("/?since=x"))[0] == 400


@pytest.mark.parametrize(
    "query",
    [
        *("status=x", "cause=x", "run_id=1", "currency=gbp", "age=x", "sort=x", "cursor=x"),
        *("limit=0", "since=x", "until=2026-02-30"),
    ],
)
async def test_an_address_that_makes_no_sense_is_refused_by_name(site: Site, query: str) -> None:
    await site.sign_in("watcher")

    status, html = await site.get(f"/discrepancies?{query}")

    assert status == 400
    assert query.partition("=")[0] in words(html)


async def test_a_discrepancy_is_an_equation_whose_parts_lead_to_their_rows(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("watcher")

    status, html = await site.get(f"/discrepancies/{week.discrepancies['u_81230']}")

    assert status == 200
    said = words(html)
    assert "u_81230 is out by +36.50 GBP" in said
    assert (
        "Difference +36.50 game - ledger = Missing webhook +25.00 payment 1"
        " + Duplicate +11.50 posting 2 + Unexplained 0.00 nothing is left" in said
    )
    for place in (1, 2):
        assert f'href="#part-{place}"' in html
        assert f'id="part-{place}"' in html
    assert 'href="/wallets/u_81230/GBP?v=6#v6"' in html
    # The reservation that no PSP has spoken of is no difference: 653.00 - 610.00 - 6.50 = 36.50.
    assert "Available 610.00 653.00 +43.00 Withdrawals on their way +6.50 still there -6.50" in said


async def test_the_timeline_marks_the_last_agreement_and_where_both_sides_part(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("watcher")

    html = (await site.get(f"/discrepancies/{week.discrepancies['u_81230']}"))[1]

    order = re.findall(r'<li class="(\w+)(?: marked)?">\s*<span class="at">', html)
    assert order == [
        *("posting", "posting", "posting", "agreed", "posting", "posting"),
        *("diverged", "posting", "payment", "posting", "payment", "seen"),
    ]


async def test_the_sentence_on_top_says_cause_and_facts_one_after_the_other(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("watcher")

    said = words((await site.get(f"/discrepancies/{week.discrepancies['u_81230']}"))[1])

    assert (
        "credited twice what came in once. 2 facts together make exactly this difference." in said
    )


async def test_what_nothing_explains_says_what_was_looked_at(site: Site, week: Seeded) -> None:
    await site.sign_in("watcher")

    said = words((await site.get(f"/discrepancies/{week.discrepancies['u_90911']}"))[1])

    assert "Difference +15.55 game - ledger = Unexplained +15.55 nothing accounts for it" in said
    assert "0 deliveries that could not be booked" in said


async def test_what_several_things_would_explain_says_what_it_may_be_and_how_likely(
    site: Site,
) -> None:
    await site.sign_in("watcher")
    case = await Cases(site.pool).seen(
        "u_1",
        "20.00",
        evidence=[
            ("dep-1", "20.00", Cause.MISSING_WEBHOOK),
            ("wd-1", "20.00", Cause.MISSING_GAME_UPDATE),
        ],
    )

    said = words((await site.get(f"/discrepancies/{case}"))[1])

    assert (
        "Several things that we know of would account for it, and none is likely enough to be"
        " named. Compare what it may be, below, with the PSP and the game" in said
    )
    assert "Unexplained +20.00 it may be several things" in said
    assert "It may be, 49 % likely: Missing webhook" in said
    assert "It may be, 49 % likely: Missing game update" in said
    assert "Nothing that we know of accounts for it" not in said


async def test_a_wallet_shows_its_entries_now_and_as_of_an_instant(
    site: Site, week: Seeded
) -> None:
    await site.sign_in("watcher")
    then = (week.now - timedelta(minutes=295)).isoformat().replace("+00:00", "Z")

    said = words((await site.get("/wallets/u_48213/GBP"))[1])
    assert "u_48213 has 240.00 GBP available" in said
    assert "version 7. The game differs by +20.00 GBP." in said
    assert "Withdrawal reserved payments wd-48213:reserved available → reserved -6.50" in said

    said = words((await site.get(f"/wallets/u_48213/GBP?at={then}"))[1])
    assert "u_48213 has 250.00 GBP available" in said
    assert "Bet held" not in said
    assert (await site.get("/wallets/u_48213/EUR"))[0] == 404
    assert (await site.get("/wallets/u_48213/GBP?at=yesterday"))[0] == 400


async def test_runs_are_listed_newest_first_and_paged(site: Site, week: Seeded) -> None:
    await site.sign_in("watcher")
    seen: list[UUID] = []
    path = "/runs?limit=10"
    while path:
        html = (await site.get(path))[1]
        seen += [
            UUID(run)
            for run in re.findall(r'<th scope="row"><a id="[^"]+" href="/runs/([\w-]+)', html)
        ]
        following = re.search(r'href="(/runs\?cursor=[^"]+)" rel="next"', html)
        path = f"{following.group(1)}&limit=10" if following else ""

    assert seen == week.runs[::-1]


@pytest.mark.parametrize("path", ["/", "/discrepancies", "/runs", "/sign-in", "/nowhere"])
async def test_every_page_is_sent_under_a_policy_without_holes(site: Site, path: str) -> None:
    await site.sign_in("watcher")

    async with site.client.get(path, headers={"Accept": "text/html"}) as response:
        html = await response.text()

    assert response.headers["Content-Security-Policy"] == _POLICY
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "same-origin"
    assert response.headers["Cache-Control"] == "no-store"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html)


async def test_an_error_is_a_page_for_people_and_a_problem_for_programs(site: Site) -> None:
    await site.sign_in("watcher")

    status, html = await site.get("/nowhere", **{"X-Request-Id": "req-7"})
    assert status == 404
    assert "There is nothing here" in html
    assert "req-7" in html
    async with site.client.get("/api/v1/nowhere", headers={"Accept": "text/html"}) as response:
        assert response.content_type == "application/problem+json"
    async with site.client.get("/nowhere", headers={"Accept": "application/json"}) as response:
        assert response.content_type == "application/problem+json"


async def test_a_crash_shows_its_id_and_nothing_else(site: Site, owner: Pool) -> None:
    await site.sign_in("watcher")
    await owner.execute("ALTER TABLE runs RENAME TO runs_elsewhere")

    status, html = await site.get("/runs", **{"X-Request-Id": "req-8"})

    assert status == 500
    assert "Something broke on our side" in html
    assert "req-8" in html
    assert "runs_elsewhere" not in html
    assert "asyncpg" not in html


async def test_what_a_name_holds_is_text_and_never_markup(site: Site, week: Seeded) -> None:
    hostile = '<img src=x onerror="alert(1)">/../"'
    await site.pool.execute(
        "UPDATE discrepancies SET assignee = $1, evidence = $2 WHERE user_id = 'u_90911'",
        hostile,
        [_fact(hostile)],
    )
    await site.sign_in("watcher")

    for path in (
        f"/discrepancies/{week.discrepancies['u_90911']}",
        "/discrepancies",
        "/discrepancies?q=%3Cimg%20src=x%3E",
        "/sign-in?next=/%22%3E%3Cimg%20src=x%3E",
    ):
        assert "<img" not in (await site.get(path))[1]


def _fact(said: str) -> dict[str, Any]:
    return {
        "kind": said,
        "id": said,
        "amount": "1555",
        "at": "2026-01-01T00:00:00Z",
        "summary": said,
        "cause": "duplicate",
    }


async def test_the_overview_counts_open_cases_and_overdue_payments(site: Site, pool: Pool) -> None:
    await site.sign_in("maker")
    assert "Cases None No payment is overdue" in words((await site.get("/"))[1])
    for kind, state in (
        ("suspended", "open"),
        ("payment_overdue", "open"),
        ("withdrawal_overdue", "open"),
        ("payment_overdue", "closed"),
    ):
        await pool.execute(
            "INSERT INTO cases (case_id, kind, state, reason) VALUES ($1, $2, $3, 'because')",
            *(new_id(), kind, state),
        )
    assert "Cases 3 2 overdue payments" in words((await site.get("/"))[1])


@pytest.mark.parametrize("runs", [1, 2, 12])
async def test_a_chart_of_few_runs_says_when_they_were_beside_them(
    site: Site, owner: Pool, runs: int
) -> None:
    await Cases(site.pool).seen("u_1", "20.00")
    began = await owner.fetch(
        "INSERT INTO runs (run_id, scope, trigger, state, started_at, finished_at)"
        " SELECT gen_random_uuid(), 'all', 'test', 'finished', at, at"
        " FROM generate_series(1, $1::int) AS n,"
        " LATERAL (SELECT '2025-01-01'::timestamptz + n * interval '1 day' AS at) AS t"
        " RETURNING started_at",
        runs,
    )
    await site.sign_in("watcher")

    ends = re.findall(r'<p class="ends"[^>]*>(.*?)</p>', (await site.get("/"))[1])

    first, last = (clock(began[place]["started_at"], now()) for place in (0, -1))
    beside = f"<span>{first}</span>" if runs == 1 else f"<span>{first} to {last}</span>"
    apart = f"<span>{first}</span><span>{last}</span>"
    assert ends == [apart if runs == 12 else beside] * 2
