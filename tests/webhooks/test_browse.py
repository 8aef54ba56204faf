"""A page of the inbox costs what it shows, not what there is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from recon.db import load
from recon.webhooks import InboxQuery, State, browse_inbox, count_states
from recon.webhooks.inbox import list_cases

if TYPE_CHECKING:
    from recon.db import Pool

DELIVERIES = 40_000
FIND_NAMED = load("recon.webhooks", "find_named")


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


async def test_a_player_with_many_payments_is_searched_within_bounds(full: Pool) -> None:
    await full.execute(
        """
        INSERT INTO payments (reference, endpoint, direction, user_id, currency, amount, state)
        SELECT 'ref_' || n, 'stripe', 'deposit', 'whale', 'GBP', 100, 'registered'
        FROM generate_series(1, 20000) AS n
        """
    )
    await full.execute("ANALYZE payments")

    assert await rows_read(full, FIND_NAMED, "whale", None, 200) <= 2000
    found = await full.fetch(FIND_NAMED, "whale", None, 200)
    assert len(found) == 200


async def test_a_player_with_many_movements_is_searched_within_bounds(full: Pool) -> None:
    await full.execute(
        """
        INSERT INTO wallets (user_id, currency) VALUES ('whale', 'GBP');
        INSERT INTO movements (
            endpoint, object_id, effect, delivery_id, payment_id, user_id, currency, amount,
            event_at
        )
        SELECT d.endpoint, d.payment_id, 'deposit', d.delivery_id, d.payment_id, 'whale', 'GBP',
            100, now()
        FROM deliveries AS d WHERE d.endpoint = 'stripe';
        INSERT INTO postings (
            user_id, currency, version, debit, credit, amount, kind, source, key, event_at,
            recorded_at, available_after, held_after, reserved_after
        )
        SELECT 'whale', 'GBP', row_number() OVER (ORDER BY d.delivery_id), 'clearing',
            'available', 100, 'deposit.succeeded', 'psp:stripe', d.payment_id || ':deposit', now(),
            now(), 100, 0, 0
        FROM deliveries AS d WHERE d.endpoint = 'stripe' AND d.delivery_id IS NOT NULL
        LIMIT 20000;
        INSERT INTO idempotency (user_id, source, key, request_hash, currency, version)
        SELECT user_id, source, key, 'x', currency, version FROM postings;
        ANALYZE movements, postings, idempotency;
        """
    )

    assert await rows_read(full, FIND_NAMED, "whale", None, 200) <= 2000
    found = await full.fetch(FIND_NAMED, "whale", None, 200)
    newest = await full.fetchval(
        "SELECT m.delivery_id FROM movements m JOIN postings p"
        " ON p.key = m.object_id || ':deposit' ORDER BY p.version DESC LIMIT 1"
    )
    assert len(found) == 200
    assert newest in {row["delivery_id"] for row in found}


@pytest.mark.parametrize("state", ["open", "closed", None])
@pytest.mark.parametrize("kind", ["rare", "common", None])
async def test_a_page_of_cases_is_read_by_an_index_whatever_it_shows(
    owner: Pool, state: str | None, kind: str | None
) -> None:
    await owner.execute(
        """
        INSERT INTO cases (case_id, kind, reason, state)
        SELECT (lpad(to_hex(1790000000000 + n), 12, '0') || lpad(to_hex(n), 20, '0'))::uuid,
            CASE WHEN n < 4 THEN 'rare' ELSE 'common' END, 'why',
            CASE WHEN n % 5000 = 1 THEN 'open' ELSE 'closed' END
        FROM generate_series(1, 20000) AS n;
        ANALYZE cases;
        """
    )
    states = ["open", "closed"] if state is None else [state]
    name = "list_cases" if kind is None else "list_cases_of_kind"
    more = [] if kind is None else [kind]

    assert await rows_read(owner, load("recon.webhooks", name), states, None, 10, *more) <= 20
    async with owner.acquire() as connection:
        page = await list_cases(connection, state=state, kind=kind, limit=10)
    wanted = await owner.fetch(
        "SELECT case_id FROM cases WHERE ($1::text IS NULL OR state = $1)"
        " AND ($2::text IS NULL OR kind = $2) ORDER BY case_id DESC LIMIT 10",
        *(state, kind),
    )
    assert [case.case_id for case in page] == [row["case_id"] for row in wanted]
