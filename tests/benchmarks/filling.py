"""Fill a database with history, set by set: as many postings as years of running would leave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import asyncpg

__all__ = ["fill_history", "register_payments"]

_CHUNK = 250_000

# $1 first, $2 last, $3 users. Numbers become ids as live traffic has them: event ids that grow with
# time, payment ids without order. Bodies are redacted, as after the retention time.
_HISTORY = """
WITH n AS MATERIALIZED (
    SELECT
        i,
        'u_' || lpad((i % $3)::text, 7, '0') AS user_id,
        i / $3 + 1 AS version,
        'pay_' || substr(md5(i::text), 1, 22) AS payment_id,
        'msg_' || lpad(to_hex(i), 32, '0') AS event_id,
        uuidv7(interval '-400 days' + i * interval '2 seconds') AS delivery_id,
        timestamptz '2025-01-01 00:00:00Z' + i * interval '2 seconds' AS at
    FROM generate_series($1::bigint, $2::bigint) AS i
),

deliveries_ AS (
    INSERT INTO deliveries (
        endpoint, event_id, delivery_id, provider, received_at, body, body_sha256, content_sha256,
        headers, verified_by, event_type, kind, payment_id, user_id, currency, amount, event_at,
        state
    )
    SELECT
        'bench', event_id, delivery_id, 'standard-webhooks', at, NULL,
        sha256(payment_id::bytea), sha256(payment_id::bytea), '{}', 'key:0:00000000',
        'deposit.succeeded', 'deposit.succeeded', payment_id, user_id, 'GBP', 2000, at, 'booked'
    FROM n
),

movements_ AS (
    INSERT INTO movements (
        endpoint, object_id, effect, delivery_id, payment_id, user_id, currency, amount, event_at
    )
    SELECT
        'bench', payment_id, 'deposit', delivery_id, payment_id, user_id, 'GBP', 2000, at
    FROM n
),

idempotency_ AS (
    INSERT INTO idempotency (user_id, source, key, request_hash, currency, version)
    SELECT
        user_id, 'psp:bench', payment_id || ':deposit', sha256(payment_id::bytea), 'GBP', version
    FROM n
)

INSERT INTO postings (
    user_id, currency, version, debit, credit, amount, kind, source, key, event_at, recorded_at,
    available_after, held_after, reserved_after
)
SELECT
    user_id, 'GBP', version, 'clearing', 'available', 2000, 'deposit.succeeded', 'psp:bench',
    payment_id || ':deposit', at, at, version * 2000, 0, 0
FROM n
"""

_WALLETS = """
INSERT INTO wallets (user_id, currency, available, version)
SELECT user_id, currency, count(*) * 2000, count(*)
FROM postings
GROUP BY user_id, currency
"""

_PAYMENTS = """
INSERT INTO payments (reference, endpoint, direction, user_id, currency, amount, state)
SELECT
    $1 || i, 'bench', 'deposit', 'u_' || lpad((random() * ($3 - 1))::bigint::text, 7, '0'), 'GBP',
    2000, 'registered'
FROM generate_series(0, $2::bigint - 1) AS i
"""


async def fill_history(
    connection: asyncpg.Connection[Any],
    postings: int,
    users: int,
    *,
    progress: Callable[[str], None],
) -> None:
    """Write deposits with everything that belongs to them; the books verify afterwards."""
    for first in range(0, postings, _CHUNK):
        last = min(first + _CHUNK, postings) - 1
        await connection.execute(_HISTORY, first, last, users, timeout=None)
        progress(f"{last + 1:,} of {postings:,} postings written")
    await connection.execute(_WALLETS, timeout=None)
    await connection.execute("VACUUM (ANALYZE, FREEZE)", timeout=None)
    await connection.execute("CHECKPOINT", timeout=None)


async def register_payments(
    connection: asyncpg.Connection[Any], references: str, count: int, users: int
) -> None:
    """Register deposits under ``<references><place>``, spread over the players."""
    await connection.execute(_PAYMENTS, references, count, users)
