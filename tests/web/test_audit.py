"""The audit page: what was done is found, exported, and never edited; and how far it is proved."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from recon.audit import record_action
from recon.clock import now
from recon.seals import Sealer, SealKeys, Verifier
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from recon.db.embedded import EmbeddedPostgres
    from tests.web.conftest import Site


async def rows_of(site: Site, query: str = "") -> list[list[str]]:
    status, text = await site.get(f"/audit/export{query}")
    assert status == 200
    return list(csv.reader(io.StringIO(text)))


async def test_who_did_what_with_before_and_after_stands_in_it(site: Site, pool: Pool) -> None:
    cases, began = Cases(pool), now()
    case = await cases.seen("u_1", "20.00")
    await site.sign_in("maker")
    await site.act(f"/discrepancies/{case}/assign", assignee="checker")

    _, page = await site.get("/audit")
    assert "Discrepancy assigned" in page
    assert "assignee: none → <strong>checker</strong>" in page
    assert f'href="/discrepancies/{case}"' in page
    _, mine = await site.get("/audit?actor=staff%3Amaker&action=discrepancy.")
    assert ("Discrepancy assigned" in mine, "Signed in" in mine) == (True, False)
    assert "Nothing matches this filter" in (await site.get("/audit?object=staff%3Anobody"))[1]
    today, tomorrow = now(), now() + timedelta(days=1)
    days = f"since={began:%Y-%m-%d}&until={today:%Y-%m-%d}"  # two of them at midnight
    assert "Signed in" in (await site.get(f"/audit?{days}"))[1]
    assert "Nothing matches" in (await site.get(f"/audit?since={tomorrow:%Y-%m-%d}"))[1]
    status, page = await site.get("/audit?since=someday")
    assert (status, "since is a day such as 2026-01-31" in page) == (400, True)
    # Nothing there changes anything.
    assert 'method="post" action="/audit' not in (await site.get("/audit"))[1]
    assert (await site.post("/audit", {}))[0] == 405


async def test_it_is_turned_page_by_page_and_exported_as_shown(site: Site, pool: Pool) -> None:
    await site.sign_in("maker")
    async with pool.acquire() as connection, connection.transaction():
        for number in range(1203):
            await record_action(
                connection, actor="cli", action="tried", obj=f"thing:{number}", why="=1+1"
            )

    header, *rows = await rows_of(site, "?actor=cli&action=tried")
    assert header == ["audit_id", "at", "actor", "action", "object", "detail"]
    assert [row[4] for row in rows] == [f"thing:{number}" for number in reversed(range(1203))]
    assert rows[0][5] == '{"why":"=1+1"}'  # begins with a brace, so that no sheet runs it

    path, seen, pages = "/audit?actor=cli&action=tried", [], 0
    while path:
        _, page = await site.get(f"{path}&limit=500")
        seen += re.findall(r"thing <code>(\d+)<", page)
        following = re.search(r'href="(/audit\?[^"]*cursor=[^"]*)"', page)
        path = "" if following is None else unescape(following[1])
        pages += 1
    assert pages == 3
    assert seen == [str(number) for number in reversed(range(1203))]


async def test_a_person_reads_the_adjustment_and_the_time_and_a_program_what_was_written(
    site: Site, pool: Pool
) -> None:
    await site.sign_in("maker")
    async with pool.acquire() as connection, connection.transaction():
        await record_action(
            connection,
            actor="cli",
            action="discrepancy.proposed",
            obj="discrepancy:1",
            amount="-12.00",
            reason="paid_twice",
            outcome="cashed_out",
            before={"status": "open"},
            after={"status": "awaiting_approval"},
            ignored_until="2026-11-30T21:17:40.489932Z",
        )

    _, page = await site.get("/audit?action=discrepancy.proposed")
    assert "Adjustment proposed</a>" in page
    said = unescape(page)
    for part in (
        "amount: \N{MINUS SIGN}12.00",
        "reason: paid_twice",  # a person's words
        "outcome: cashed out",
        "status: open → <strong>awaiting approval</strong>",
        "until: 30 Nov 2026 21:17:40 UTC",
    ):
        assert part in said
    (row,) = [row for row in await rows_of(site) if row[3] == "discrepancy.proposed"]
    for written in ("2026-11-30T21:17:40.489932Z", "-12.00", "cashed_out", "awaiting_approval"):
        assert f'"{written}"' in row[5]


@pytest.mark.parametrize(
    "reason", ["2026-13-40T25:61:61Z", "0001-01-01T00:00:00+14:00", "2026-01-01T::::::::Z"]
)
async def test_what_only_looks_like_a_time_stands_as_it_was_written(
    site: Site, pool: Pool, reason: str
) -> None:
    await site.sign_in("maker")
    async with pool.acquire() as connection, connection.transaction():
        await record_action(connection, actor="cli", action="tried", obj="thing:1", why=reason)

    status, page = await site.get("/audit?action=tried")
    assert (status, f"why: {reason}" in unescape(page)) == (200, True)


async def test_a_cell_that_a_sheet_would_run_is_text(site: Site, pool: Pool) -> None:
    await site.sign_in("maker")
    async with pool.acquire() as connection, connection.transaction():
        await record_action(connection, actor="=cmd()", action="tried", obj="thing:1")
    (row,) = [row for row in await rows_of(site) if row[3] == "tried"]
    assert row[2] == "'=cmd()"


async def test_the_page_says_how_far_the_past_is_proved(
    site: Site, pool: Pool, administrator_of: asyncpg.Connection[Any]
) -> None:
    await site.sign_in("maker")
    assert "Nothing is sealed yet" in (await site.get("/audit"))[1]
    keys = SealKeys(["a key of thirty-two characters or more"])
    verifier = Verifier(pool=pool, keys=keys, anchor=None, every=timedelta(0))

    await Sealer(pool, keys).run(deep=True)
    assert "and not verified yet" in (await site.get("/audit"))[1]
    await verify(pool, verifier)
    assert "Nobody has changed the past." in (await site.get("/audit"))[1]

    # Whoever owns the database can: five rows, and the guard that was off, are seen.
    await administrator_of.execute("ALTER TABLE audit DISABLE TRIGGER ALL")
    await administrator_of.execute("UPDATE audit SET actor = 'staff:checker'")
    await verify(pool, verifier)
    _, page = await site.get("/audit")
    assert ("6 things do not hold" in page, "recon verify" in page) == (True, True)


async def verify(pool: Pool, verifier: Verifier) -> None:
    """Begin one as the clock does, and make it as its job does."""
    await verifier.begin()
    await verifier.verify(
        await pool.fetchval("SELECT verification_id FROM verifications WHERE state = 'running'")
    )


@pytest.fixture
async def administrator_of(
    server: EmbeddedPostgres, pool: Pool
) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Whoever owns the database, beside the service."""
    name = await pool.fetchval("SELECT current_database()")
    connection = await asyncpg.connect(server.dsn_for(name))
    yield connection
    await connection.close()
