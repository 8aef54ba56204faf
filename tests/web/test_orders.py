"""Every list turns round by the heading of its time: rows, further pages and the file with it."""

from __future__ import annotations

import csv
import io
import re
from html import unescape
from typing import TYPE_CHECKING

from recon.http.keys import create_key
from recon.reconciliation import RunScope, start_run
from tests.web.many import everything
from tests.web.test_exports import exported
from tests.web.test_settlements import imported

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.inbox import Inbox

_ID = r"([\da-f]{8}-[\w-]{27})"
_HEALED = """
INSERT INTO run_discrepancies (
    user_id, discrepancy_id, run_id, currency, standing, difference, explained,
    unexplained, available_difference, ledger_version, ledger_available, ledger_held,
    game_available, game_held
)
SELECT
    user_id, discrepancy_id, (SELECT run_id FROM runs ORDER BY started_at LIMIT 1), currency,
    'healed', difference, explained, unexplained, available_difference, ledger_version,
    ledger_available, ledger_held, game_available, game_held
FROM discrepancies
RETURNING run_id
"""


async def walked(site: Site, path: str, row: str) -> tuple[list[str], str]:
    """What a pattern finds on a page and on all that follow it, three rows each; and the first."""
    found: list[str] = []
    first, following = "", path
    while following:
        address, _, _ = following.partition("#")
        status, page = await site.get(f"{address}{'&' if '?' in address else '?'}limit=3")
        assert status == 200, following
        first = first or page
        found += re.findall(row, page)
        link = re.search(r'href="([^"]+)" rel="next"', page)
        following = unescape(link[1]) if link else ""
    return found, first


def turned(page: str, heading: str) -> tuple[str, str]:
    """How a column says that the list is sorted, and where its heading leads."""
    found = re.search(rf'aria-sort="(\w+)"><a href="([^"]+)">{heading}<', page)
    assert found is not None, heading
    return found[1], unescape(found[2])


async def test_every_list_turns_round_by_its_heading_and_its_pages_and_its_file_go_with_it(
    site: Site, pool: Pool, owner: Pool
) -> None:
    file = await imported(pool)
    await imported(pool, name="april.csv", batch="8")
    await everything(owner, 7)
    run_id = await owner.fetchval(_HEALED)
    await site.sign_in("watcher")
    findings = f"/settlements/{file.file_id}?state=open"

    for path, heading, row, column in (
        ("/runs", "Started", rf'<th scope="row"><a[^>]* href="/runs/{_ID}', "run_id"),
        ("/webhooks?endpoint=stripe", "Received", rf'href="/deliveries/{_ID}"', "delivery_id"),
        ("/cases?kind=payment_overdue", "Opened", r"<code>(d-\d+)</code>", "reference"),
        ("/approvals", "Age", r'title="(u_\d+)"', "user_id"),
        ("/audit?actor=cli", "When", rf'<tr id="a{_ID}"', "audit_id"),
        ("/settlements?endpoint=adyen", "Imported", rf'href="/settlements/{_ID}"', "file_id"),
        (findings, "Line", rf'<tr id="f{_ID}"', "finding_id"),
        (f"/runs/{run_id}", "First seen", rf'href="/discrepancies/{_ID}"', "discrepancy_id"),
    ):
        straight, page = await walked(site, path, row)
        sort, round_about = turned(page, heading)
        back, other = await walked(site, round_about, row)
        sort_back, again = turned(other, heading)

        assert len(straight) == len(set(straight)) * (2 if path == "/approvals" else 1)
        assert len(straight) >= (2 if "/settlements?" in path else 7), path
        # Rulings stand before adjustments either way.
        whole = 7 if path == "/approvals" else len(straight)
        assert back == straight[:whole][::-1] + straight[whole:][::-1], path
        assert {sort, sort_back} == {"ascending", "descending"}, path
        assert (await walked(site, again, row))[0] == straight, path
        for address, order in ((path, straight), (round_about, back)):
            rows, _ = await exported(site, address.partition("#")[0])
            assert [one[column] for one in rows] == order, address


def chosen(page: str, heading: str) -> tuple[str | None, str]:
    """How a column says that the list is sorted by it, if it is, and where its heading leads."""
    found = re.search(rf'<th scope="col"([^>]*)><a href="([^"]+)">{heading}<', page)
    assert found is not None, heading
    sort = re.search(r'aria-sort="(\w+)"', found[1])
    return sort and sort[1], unescape(found[2])


async def test_proposals_go_by_amount_and_runs_by_how_long_they_took_both_ways(
    site: Site, owner: Pool
) -> None:
    await everything(owner, 7)
    # Forty yen are more whole units than five pounds are; three pounds are as much as three euros.
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        for table, amount, key in (
            ("adjustments", "amount", "adjustment_id"),
            ("bet_rulings", "payout", "ruling_id"),
        ):
            for number, (currency, minor) in enumerate(
                (("GBP", 500), ("JPY", 40), ("EUR", 300), ("GBP", 300), ("GBP", 1)), start=1
            ):
                await connection.execute(
                    f"UPDATE {table} SET currency = $2, {amount} = $3,"  # noqa: S608 - the lines above
                    f" {key} = ('0192f3a1-4c02-7d3b-9e11-00000000000' || $1::text)::uuid"
                    " WHERE user_id = 'u_' || $1::text",
                    *(str(number), currency, minor),
                )
            await connection.execute(
                f"DELETE FROM {table} WHERE user_id IN ('u_6', 'u_7')"  # noqa: S608 - likewise
            )
        await connection.execute("UPDATE adjustments SET amount = -amount WHERE user_id = 'u_1'")
        await connection.execute(
            "UPDATE runs SET finished_at = started_at + CASE number"
            " WHEN 1 THEN interval '9 s' WHEN 3 THEN interval '2 min' WHEN 5 THEN interval '1 s'"
            " ELSE interval '9 s' END FROM (SELECT run_id AS id, row_number() OVER"
            " (ORDER BY started_at DESC) AS number FROM runs) AS n"
            " WHERE id = run_id AND state = 'finished'"
        )
    began = await owner.fetch("SELECT run_id FROM runs ORDER BY started_at DESC")
    longest = [str(began[at]["run_id"]) for at in (2, 0, 6, 4, 1, 3, 5)]
    largest = ["u_2", "u_1", "u_4", "u_3", "u_5"]
    await site.sign_in("watcher")

    for path, heading, row, column, order in (
        ("/approvals", "(?:Payout|Adjustment)", r'title="(u_\d+)"', "user_id", largest),
        ("/runs", "Took", rf'<th scope="row"><a[^>]* href="/runs/{_ID}', "run_id", longest),
    ):
        _, page = await site.get(path)
        sort, first_by = chosen(page, heading)
        falling, page = await walked(site, first_by, row)
        sort_falling, then_by = chosen(page, heading)
        rising, page = await walked(site, then_by, row)
        sort_rising, again = chosen(page, heading)

        assert (sort, sort_falling, sort_rising) == (None, "descending", "ascending"), path
        assert again == first_by
        # Of proposals, the rulings stand first either way.
        kinds = 2 if path == "/approvals" else 1
        assert falling == order * kinds, path
        assert rising == order[::-1] * kinds, path
        for address, shown in ((first_by, falling), (then_by, rising)):
            rows, page = await exported(site, address)
            assert [one[column] for one in rows] == shown, address
        assert {"/approvals": "Smallest first, in whole", "/runs": "Shortest first"}[path] in page


async def test_a_wallet_and_its_statement_turn_round_now_and_as_of_an_instant(
    site: Site, pool: Pool, owner: Pool
) -> None:
    await everything(owner, 7)
    at = await pool.fetchval(
        "SELECT recorded_at FROM postings WHERE user_id = 'u_1' AND version = 5"
    )
    await site.sign_in("watcher")

    for path, versions in (
        ("/wallets/u_1/GBP", "7654321"),
        (f"/wallets/u_1/GBP?at={at:%Y-%m-%dT%H:%M:%S.%f}", "54321"),
    ):
        straight, page = await walked(site, path, r'<tr id="v(\d+)"')
        sort, round_about = turned(page, "Version")
        back, other = await walked(site, round_about, r'<tr id="v(\d+)"')
        statement = re.search(r'href="([^"]+)">Statement as CSV', other)
        assert statement is not None
        rows = csv.DictReader(io.StringIO((await site.get(unescape(statement[1])))[1]))

        assert ("".join(straight), sort) == (versions, "descending")
        assert "".join(back) == versions[::-1]
        assert "".join(one["version"] for one in rows) == versions[::-1]


async def test_the_inbox_from_its_oldest_on_keeps_to_its_days_and_goes_on_where_it_ended(
    site: Site, owner: Pool, inbox: Inbox
) -> None:
    await site.sign_in("watcher")
    every, _ = await walked(site, "/webhooks", rf'href="/deliveries/{_ID}"')
    day = await owner.fetchval("SELECT received_at::date FROM deliveries LIMIT 1")

    for asked, there in (
        (f"since={day}&until={day}", True),
        ("since=2020-01-01", True),
        ("until=2020-01-01", False),
        ("since=2999-01-01", False),
    ):
        found, _ = await walked(site, f"/webhooks?{asked}&sort=-age", rf'href="/deliveries/{_ID}"')
        assert found == (every[::-1] if there else []), asked
    named, _ = await walked(
        site, f"/webhooks?q={inbox.fixable}&sort=-age", rf'href="/deliveries/{_ID}"'
    )
    assert named == [str(inbox.fixable)]


async def test_runs_that_are_shown_live_stay_in_the_order_that_was_chosen(site: Site) -> None:
    await site.sign_in("watcher")
    earlier = await start_run(site.pool, RunScope.ALL, trigger="test", queued=False)
    later = await start_run(site.pool, RunScope.ALL, trigger="test", queued=False)

    _, page = await site.get("/runs?sort=-age")
    live = re.search(r'hx-get="(/runs/table[^"]*)"', page)
    assert live is not None
    _, table = await site.get(unescape(live[1]))

    for shown in (page, table):
        assert re.findall(rf'id="run-{_ID}"', shown) == [str(earlier), str(later)]


async def test_the_lists_of_the_settings_are_exported_to_whom_they_are_shown(
    site: Site, pool: Pool
) -> None:
    key = await create_key(pool, name="=lobby", scopes=["read:wallet"], lifetime=None, actor="cli")
    await site.sign_in("watcher")
    own, page = await exported(site, "/settings")
    for refused in ("staff", "keys"):
        assert f"/settings/{refused}/export" not in page
        assert (await site.get(f"/settings/{refused}/export"))[0] == 403
    await site.sign_in("root")
    _, page = await site.get("/settings")
    files = {
        name: list(csv.DictReader(io.StringIO((await site.get(f"/settings/{name}/export"))[1])))
        for name in ("staff", "keys")
        if f'href="/settings/{name}/export"' in page
    }

    assert [one["this_one"] for one in own] == ["yes"]
    assert [(one["name"], one["role"]) for one in files["staff"]] == [
        *(("checker", "approver"), ("maker", "analyst")),
        *(("root", "admin"), ("watcher", "viewer")),
    ]
    assert [(one["key_id"], one["caller"], one["scopes"]) for one in files["keys"]] == [
        (key.key_id, "'=lobby", "read:wallet")
    ]
    assert key.key not in str(files)
