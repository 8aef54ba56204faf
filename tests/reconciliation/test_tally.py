"""What the overview counts is what there is, whatever has changed and whoever adds it up."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from recon.clock import now
from recon.ledger import verify_books
from recon.reconciliation import count_open, fold_tallies
from recon.web.auth.sessions import Session
from recon.web.days import Days
from recon.web.discrepancy_list import AGES, DiscrepancyQuery, read_totals
from recon.web.overview import read_overview, read_verdict
from recon.web.roles import Role
from tests.web.many import discrepancies

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

    from recon.db import Pool

_STATUSES = ("open", "investigating", "awaiting_approval", "ignored", "resolved", "cleared")
_LIVE = set(_STATUSES[:3])


async def counted_wrongly(pool: Pool) -> list[str]:
    """What `recon verify` says of the counts; planted rows have no history, which is said too."""
    verified = await verify_books(pool)
    return [fault.detail for fault in verified.faults if fault.check == "overview"]


async def gathered(pool: Pool) -> int:
    """How many rows the counts are made of."""
    rows: int = await pool.fetchval("SELECT count(*) FROM discrepancy_tallies")
    return rows


_OTHER_SIGN = """
difference = -difference, available_difference = -available_difference, explained = 0,
unexplained = -difference
"""


async def test_counts_follow_every_change_and_folding_changes_none(pool: Pool, owner: Pool) -> None:
    random = Random(7)  # noqa: S311 - the same changes each time
    await discrepancies(owner, 400)
    ids = [row[0] for row in await pool.fetch("SELECT discrepancy_id FROM discrepancies")]

    def some() -> list[Any]:
        return random.sample(ids, random.randint(1, 40))

    changes: list[Callable[[], tuple[str, ...]]] = [
        lambda: ("status = $2, ignored_until = NULL", random.choice(_STATUSES)),
        lambda: ("cause = $2", random.choice(("duplicate", "unexplained"))),
        lambda: (_OTHER_SIGN,),
        lambda: ("explained = difference, unexplained = 0",),
        lambda: ("first_seen_at = first_seen_at - interval '3 days'",),
        lambda: ("last_seen_at = now(), occurrences = occurrences + 1",),
    ]
    for number in range(40):
        change, *values = random.choice(changes)()
        await pool.execute(
            f"UPDATE discrepancies SET {change} WHERE discrepancy_id = any($1)",  # noqa: S608 - the lines above
            some(),
            *values,
        )
        if number % 10 == 9:
            assert await counted_wrongly(pool) == []
            before = await gathered(pool)
            await asyncio.gather(*(fold_tallies(pool) for _ in range(3)))
            assert await counted_wrongly(pool) == []
            assert await gathered(pool) < before
    await owner.execute("DELETE FROM discrepancies WHERE discrepancy_id = any($1)", some())

    assert await counted_wrongly(pool) == []
    rows = await pool.fetch("SELECT * FROM discrepancies")
    live = [row for row in rows if row["status"] in _LIVE]
    async with pool.acquire() as connection:
        verdict = await read_verdict(connection, every=None, now=now())
        totals = await read_totals(connection, DiscrepancyQuery(), now=now())
        assert await count_open(connection) == len(live) > 50
    for position in verdict.positions:
        mine = [row for row in live if row["currency"] == position.currency]
        assert (position.rows, position.unexplained_rows, position.net, position.gross) == (
            len(mine),
            sum(row["unexplained"] != 0 for row in mine),
            sum(row["difference"] for row in mine),
            sum(abs(row["difference"]) for row in mine),
        )
        assert position.unexplained == sum(abs(row["unexplained"]) for row in mine)
    assert {(one.currency, one.rows, one.net) for one in verdict.positions} == {
        (total.currency, total.rows, total.net) for total in totals
    }


async def test_what_is_as_it_was_is_not_counted_again(pool: Pool, owner: Pool) -> None:
    await discrepancies(owner, 100)
    before = await gathered(pool)

    await pool.execute(
        "UPDATE discrepancies SET last_seen_at = now(), evidence = '[]', severity = 'low'"
    )

    assert await gathered(pool) == before


async def test_nobody_waits_for_another_who_has_counted(pool: Pool, owner: Pool) -> None:
    await discrepancies(owner, 2)
    close = "UPDATE discrepancies SET status = 'cleared' WHERE user_id = $1"

    async def clear(connection: asyncpg.Connection[asyncpg.Record], user_id: str) -> None:
        await connection.execute("SET LOCAL lock_timeout = '10ms'")
        await connection.execute(close, user_id)

    async with pool.acquire() as one, pool.acquire() as other, one.transaction():
        await clear(one, "u_0000001")
        async with other.transaction():
            await clear(other, "u_0000002")
        await fold_tallies(pool)
        assert await counted_wrongly(pool) == []

    assert await counted_wrongly(pool) == []
    await fold_tallies(pool)
    assert await gathered(pool) == 0


async def test_folded_counts_are_never_more_than_what_is_open(pool: Pool, owner: Pool) -> None:
    """A row stands for one of a minute at least: where nothing stays, no row does."""
    await discrepancies(owner, 300)
    await pool.execute(
        "UPDATE discrepancies SET status = 'open',"
        " first_seen_at = now() - substr(user_id, 3)::integer * interval '1 minute'"
    )
    assert await gathered(pool) > 300

    await pool.execute("UPDATE discrepancies SET status = 'cleared' WHERE user_id NOT LIKE '%7'")
    await fold_tallies(pool)

    assert await counted_wrongly(pool) == []
    # Each of its own minute: one row each, and none of the others.
    assert await gathered(pool) == 30


async def test_ages_are_told_apart_to_the_minute_as_the_list_does(pool: Pool, owner: Pool) -> None:
    await discrepancies(owner, 60)
    at = now().replace(second=30)
    for minutes, users in ((-1, "u_000001%"), (0, "u_000002%"), (1, "u_000003%")):
        seen = at - timedelta(days=1, minutes=minutes)
        await pool.execute(
            "UPDATE discrepancies SET first_seen_at = $1 WHERE user_id LIKE $2", seen, users
        )
    session = Session("maker", Role.VIEWER, "secret")
    async with pool.acquire() as connection:
        shown = await read_overview(
            connection, session, currency=None, days=Days(), every=None, now=at
        )
        listed = {
            age: sum(
                total.rows
                for total in await read_totals(connection, DiscrepancyQuery(age=age), now=at)
            )
            for age in AGES
        }

    assert {bar.name: bar.rows for bar in shown.ageing} == listed
    assert listed == {"day": 50, "three_days": 10, "week": 0, "older": 0}


async def test_counts_that_are_not_what_there_is_are_a_fault(pool: Pool, owner: Pool) -> None:
    await discrepancies(owner, 100)
    await owner.execute(
        "UPDATE discrepancy_tallies SET net = net + 1 WHERE tally_id ="
        " (SELECT min(tally_id) FROM discrepancy_tallies)"
    )
    (fault,) = await counted_wrongly(pool)
    await owner.execute("DELETE FROM discrepancy_tallies WHERE currency = 'JPY'")

    assert "0 open discrepancies, out by 1, too many" in fault
    assert len(await counted_wrongly(pool)) > 10
