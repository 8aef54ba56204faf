"""A page of the inbox costs what it shows, not what there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from recon.db import load
from recon.webhooks import InboxQuery, State, browse_inbox, count_states

if TYPE_CHECKING:
    from recon.db import Pool

DELIVERIES = 40_000


@pytest.fixture
async def full(owner: Pool) -> Pool:
    """An inbox of which almost all is booked or ignored, with statistics that know it."""
    await owner.execute(
        """
        INSERT INTO deliveries (
            endpoint, event_id, delivery_id, provider, received_at, body, body_sha256,
            content_sha256, headers, verified_by, event_type, kind, payment_id, reference, user_id,
            currency, amount, event_at, state
        )
        SELECT
            CASE WHEN n = 1 THEN 'rare' ELSE 'stripe' END, 'evt_' || n,
            (lpad(to_hex(1790000000000 + n), 12, '0') || lpad(to_hex(n), 20, '0'))::uuid, 'stripe',
            to_timestamp(1790000000 + n * 0.001), 'x', sha256('a'), sha256('a'), '{}',
            'key:0:00000000', 'x', 'deposit.succeeded', 'pi_' || n, 'ref_' || n, 'u_' || n % 100,
            'GBP', 100, now(), CASE n % 2 WHEN 0 THEN 'booked' ELSE 'ignored' END
        FROM generate_series(1, $1::bigint) AS n
        """,
        DELIVERIES,
    )
    await owner.execute("UPDATE deliveries SET state = 'suspended' WHERE event_id = 'evt_9'")
    await owner.execute("ANALYZE deliveries")
    return owner


async def rows_read(pool: Pool, statement: str, *arguments: object) -> int:
    """The most rows that any step of a statement has gone through."""
    async with pool.acquire() as connection, connection.transaction():
        for setting in ("enable_seqscan = off", "plan_cache_mode = force_custom_plan"):
            await connection.execute(f"SET LOCAL {setting}")
        plan = await connection.fetch(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}", *arguments)
    lines = [line for (line,) in plan]
    went = [
        int(count.replace(".00", ""))
        for line in lines
        for count in re.findall(r"actual rows=([\d]+)", line)
    ]
    went += [
        int(count) for line in lines for count in re.findall(r"Removed by Filter: (\d+)", line)
    ]
    return max(went)


async def test_states_are_counted_without_going_through_all(full: Pool, pool: Pool) -> None:
    async with pool.acquire() as connection:
        counts = await count_states(connection)

    assert {state: (count.deliveries, count.more) for state, count in counts.items()} == {
        State.BOOKED: (1000, True),
        State.IGNORED: (1000, True),
        State.SUSPENDED: (1, False),
        **dict.fromkeys((State.REPEATED, State.WAITING, State.QUARANTINED), (0, False)),
    }
    others = [str(state) for state in State if state is not State.BOOKED]
    statement = load("recon.webhooks", "count_states")
    assert await rows_read(full, statement, others, 1001, 5000) <= 5000


@pytest.mark.parametrize(
    ("wanted", "events"),
    [
        (InboxQuery(state="unsettled"), ["evt_9"]),
        (InboxQuery(state="suspended", endpoint="rare"), []),
        (InboxQuery(q="ref_77"), ["evt_77"]),
        (InboxQuery(q="evt_78"), ["evt_78"]),
        (InboxQuery(endpoint="rare"), ["evt_1"]),
        (InboxQuery(until="2026-09-21T14:13:20.0025Z"), ["evt_2", "evt_1"]),
    ],
    ids=str,
)
async def test_what_is_rare_is_found(
    full: Pool, pool: Pool, wanted: InboxQuery, events: list[str]
) -> None:
    async with pool.acquire() as connection:
        page = await browse_inbox(connection, wanted)

    assert [row.event_id for row in page.rows] == events
    assert page.after is None
    assert await full.fetchval("SELECT count(*) FROM deliveries") == DELIVERIES
