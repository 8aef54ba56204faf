"""What the tables cost as they grow: bytes a row, and what partitions by time would change.

``python -m tests.benchmarks.growth`` writes `benchmarks/results/growth.json`, which docs/scaling.md
reckons with. Sizes do not depend on the machine; rates do, so the two ways are measured in turns.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import asyncpg

from recon.clock import now
from recon.db import open_pool
from recon.money import Money
from recon.seals import Sealer, SealKeys
from recon.webhooks.model import Endpoint, Kind
from recon.webhooks.samples import Sample, build_sample, sign_sample
from tests.benchmarks.filling import fill_history
from tests.benchmarks.say import say
from tests.benchmarks.server import bench_server, make_databases

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recon.db.embedded import EmbeddedPostgres

__all__ = ["main"]

_RESULT: Final = Path(__file__).parents[2] / "benchmarks" / "results" / "growth.json"
_DEPOSITS: Final = 300_000
_BETS: Final = 100_000
_PLAYERS: Final = 60_000
_SPLIT_ROWS: Final = 600_000
_MONTHS: Final = 60
_BATCH: Final = 500
_BATCHES: Final = 30
_ROUNDS: Final = 5
_LOOKS: Final = 400

# A bet that was lost, with all that belongs to it: hold, capture, two attempts.
_BET_ROWS: Final = """
WITH n AS MATERIALIZED (
    SELECT
        i, 'u_' || lpad((i % 60000)::text, 7, '0') AS user_id, uuidv7() AS bet_id,
        timestamptz '2026-01-01' + i * interval '1 second' AS at
    FROM generate_series(1, $1::bigint) AS i
),

bets_ AS (
    INSERT INTO bets (
        user_id, bet_id, caller_key, round_id, currency, amount, state, hold_body, hold_key,
        confirm_key, release_key, cashout_key, game_hold_id, ticket_id, placed_at, settled_at,
        created_at, updated_at
    )
    SELECT
        user_id, bet_id, 'lobby:' || gen_random_uuid(), 'rnd_' || i / 100, 'GBP', 500, 'lost',
        convert_to(
            '{"user_id":"' || user_id || '","round_id":"rnd_' || i / 100
            || '","amount":"5.00","currency":"GBP","auto_cashout":null}', 'UTF8'
        ),
        gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(),
        'hold_' || md5(i::text), 'tkt_' || md5(i::text), at, at, at, at
    FROM n
),

attempts_ AS (
    INSERT INTO bet_attempts (
        user_id, bet_id, attempt_id, step, request_id, status, outcome, latency_ms, at
    )
    SELECT user_id, bet_id, uuidv7(), step, 'req_' || md5(i::text), 201, 'ok', 12, at
    FROM n CROSS JOIN unnest(ARRAY['hold', 'confirm']) AS s (step)
),

holds_ AS (
    INSERT INTO holds (user_id, hold_id, currency, account, amount, version, opened_at)
    SELECT user_id, bet_id, 'GBP', 'held', 500, 1000000 + 2 * i, at FROM n
)

INSERT INTO hold_resolutions (user_id, hold_id, outcome, version, resolved_at)
SELECT user_id, bet_id, 'captured', 1000001 + 2 * i, at FROM n
"""
_SIZE: Final = "SELECT pg_total_relation_size($1::regclass)"

_FLAT: Final = """
CREATE TABLE flat (LIKE postings INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
ALTER TABLE flat ADD PRIMARY KEY (user_id, currency, version);
CREATE INDEX ON flat USING brin (recorded_at) WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE split (LIKE postings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
PARTITION BY RANGE (recorded_at);
ALTER TABLE split ADD PRIMARY KEY (user_id, currency, version, recorded_at);
CREATE INDEX ON split USING brin (recorded_at) WITH (pages_per_range = 16, autosummarize = on);
DO $$
BEGIN
    FOR m IN 0..59 LOOP
        EXECUTE format(
            'CREATE TABLE split_%s PARTITION OF split FOR VALUES FROM (%L) TO (%L)', m,
            timestamptz '2021-01-01 00:00Z' + m * interval '1 month',
            timestamptz '2021-01-01 00:00Z' + (m + 1) * interval '1 month'
        );
    END LOOP;
END
$$
"""
_FILL: Final = """
INSERT INTO {0} (
    user_id, currency, version, debit, credit, amount, kind, source, key, event_at, recorded_at,
    available_after, held_after, reserved_after
)
SELECT
    'u_' || lpad((i % 60000)::text, 7, '0'), 'GBP', i / 60000 + 1, 'clearing', 'available', 2000,
    'deposit.succeeded', 'psp:bench', 'pay_' || md5(i::text) || ':deposit', t, t, 2000, 0, 0
FROM (
    SELECT i, timestamptz '2021-01-01 00:00Z' + i * (interval '59 months' / $1) AS t
    FROM generate_series(1, $1::bigint) AS i
) AS n
"""
_NEWER: Final = """
INSERT INTO {0} (
    user_id, currency, version, debit, credit, amount, kind, source, key, event_at, recorded_at,
    available_after, held_after, reserved_after
)
SELECT
    'u_' || lpad((random() * 59999)::int::text, 7, '0'), 'GBP', $1 + i, 'clearing', 'available',
    2000, 'deposit.succeeded', 'psp:bench', 'pay_' || md5(i::text) || ':deposit', t, t, 2000, 0, 0
FROM generate_series(1, $2::bigint) AS i
CROSS JOIN (SELECT timestamptz '2025-12-20 00:00Z' + $1 * interval '1 ms' AS t) AS c
"""
_LOOK: Final = (
    "SELECT available_after FROM {0} WHERE user_id = $1 AND currency = 'GBP'"
    " ORDER BY version DESC LIMIT 1"
)
_CHANGED: Final = "SELECT count(DISTINCT user_id) FROM {0} WHERE recorded_at >= $1"


async def main() -> None:
    """Measure, and write it down."""
    async with bench_server() as (server, _):
        await make_databases(server, ["growth"])
        found = {"bytes": await _sizes(server), "partitions": await _partitions(server)}
    text = json.dumps({"measured_at": now().isoformat(timespec="seconds"), **found}, indent=2)
    await asyncio.to_thread(_RESULT.write_text, text + "\n", encoding="utf-8")
    say(text)


async def _sizes(server: EmbeddedPostgres) -> dict[str, float]:
    """Bytes a row, indexes and TOAST included, after a vacuum."""
    async with open_pool(server.dsn_for("growth"), max_size=4) as pool:
        async with pool.acquire() as connection:
            await fill_history(connection, _DEPOSITS, _PLAYERS, progress=say)
        sealer = Sealer(pool, SealKeys(["k" * 32]))
        took_s = await _timed(lambda: sealer.run(deep=True, adopt=True))
        async with pool.acquire() as connection:
            found = await _bytes_a_row(
                connection,
                dict.fromkeys(("deliveries", "movements", "postings", "idempotency"), _DEPOSITS)
                | {"wallets": _PLAYERS, "seal_links": 3 * _DEPOSITS},
            )
            await connection.execute(_BET_ROWS, _BETS, timeout=None)
            found |= await _bytes_a_row(
                connection,
                dict.fromkeys(("bets", "holds", "hold_resolutions"), _BETS)
                | {"bet_attempts": 2 * _BETS},
            )
            for provider, body in _bodies().items():
                found[f"body of {provider}"] = len(body)
                found[f"body of {provider}, stored"] = await _stored(connection, body)
    return found | {"rows sealed a second": round(3 * _DEPOSITS / took_s)}


async def _bytes_a_row(
    connection: asyncpg.Connection[Any], rows: dict[str, int]
) -> dict[str, float]:
    await connection.execute("VACUUM (ANALYZE)", timeout=None)
    return {
        table: round(await connection.fetchval(_SIZE, table) / count, 1)
        for table, count in rows.items()
    }


async def _stored(connection: asyncpg.Connection[Any], body: bytes) -> int:
    """What a payload takes in its row or beside it, compressed as the table does."""
    await connection.execute("CREATE TEMPORARY TABLE one (body bytea)")
    await connection.execute("INSERT INTO one VALUES ($1)", body)
    size: int = await connection.fetchval("SELECT pg_column_size(body) FROM one")
    await connection.execute("DROP TABLE one")
    return size


def _bodies() -> dict[str, bytes]:
    """A deposit as each provider tells it."""
    endpoints = (
        Endpoint(name="a", provider="stripe", secrets=("whsec_growth",)),
        Endpoint(name="b", provider="adyen", secrets=("ab" * 32,)),
        Endpoint(name="c", provider="standard-webhooks", secrets=("whsec_AAAA",)),
    )
    sample = Sample(
        kind=Kind.DEPOSIT_SUCCEEDED,
        user_id="u_0000001",
        amount=Money.parse("20.00", "GBP"),
        reference="order-1",
        at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return {
        one.provider: sign_sample(one, build_sample(one, sample), at=now()).body
        for one in endpoints
    }


async def _partitions(server: EmbeddedPostgres) -> dict[str, Any]:
    """The postings as they are beside sixty partitions by month, in turns."""
    found: dict[str, dict[str, list[float]]] = {"flat": {}, "split": {}}
    connection = await asyncpg.connect(server.dsn_for("growth"), command_timeout=None)
    try:
        await connection.execute(_FLAT)
        for table in found:
            await connection.execute(_FILL.format(table), _SPLIT_ROWS)
            say(f"{table} has {_SPLIT_ROWS:,} rows")
        await connection.execute("VACUUM (ANALYZE)")
        version = 1_000_000
        for _ in range(_ROUNDS):
            for table, numbers in found.items():
                version += _BATCH * _BATCHES
                for name, value in (await _turn(connection, table, version)).items():
                    numbers.setdefault(name, []).append(value)
    finally:
        await connection.close()
    return {
        "rows": _SPLIT_ROWS,
        "months": _MONTHS,
        **{
            table: {name: round(median(values), 3) for name, values in numbers.items()}
            for table, numbers in found.items()
        },
    }


async def _turn(connection: asyncpg.Connection[Any], table: str, version: int) -> dict[str, float]:
    """Rows a second, and milliseconds of what is asked."""
    insert = await connection.prepare(_NEWER.format(table))
    look = await connection.prepare(_LOOK.format(table))
    changed = await connection.prepare(_CHANGED.format(table))

    async def write() -> None:
        for batch in range(_BATCHES):
            await insert.fetch(version + batch * _BATCH, _BATCH)

    async def read() -> None:
        for number in range(_LOOKS):
            await look.fetchval(f"u_{number * 149 % 60000:07}")

    since = datetime(2025, 12, 20, tzinfo=UTC)
    return {
        "rows a second": _BATCH * _BATCHES / await _timed(write),
        "newest posting of a wallet, ms": 1000 * await _timed(read) / _LOOKS,
        "wallets changed lately, ms": 1000 * await _timed(lambda: changed.fetchval(since)),
    }


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


if __name__ == "__main__":
    asyncio.run(main())
