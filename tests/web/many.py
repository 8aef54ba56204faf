"""As many rows of everything that has a list as a test asks for, written by the database itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.clock import new_id, now
from recon.ledger import post_one, rules
from recon.money import Money

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["discrepancies", "everything"]

# Thirty seconds apart, their ids by that time; seven tenths open, a fifth closed; all four sizes of
# severity, all seven causes, amounts up to 100,000 minor units either way.
_DISCREPANCIES: Final = """
INSERT INTO discrepancies (
    user_id, discrepancy_id, currency, exponent, status, severity, cause,
    ledger_available, ledger_held, ledger_reserved, ledger_version,
    game_available, game_held, game_as_of, available_difference, held_difference, difference,
    explained, unexplained, evidence, looked_at, assignee, first_seen_at, last_seen_at,
    first_run_id, last_run_id, closed_at
)
SELECT
    'u_' || lpad(n::text, 7, '0'),
    (
        lpad(to_hex((extract(EPOCH FROM now()) * 1000)::bigint - n::bigint * 30000), 12, '0')
        || '7' || substr(md5(n::text), 1, 3) || '8' || substr(md5(n::text), 4, 15)
    )::uuid,
    (ARRAY['GBP', 'EUR', 'USD', 'JPY'])[1 + n % 4],
    (ARRAY[2, 2, 2, 0])[1 + n % 4],
    CASE
        WHEN n % 100 < 70 THEN 'open'
        WHEN n % 100 = 70 THEN 'awaiting_approval'
        WHEN n % 100 < 75 THEN 'investigating'
        WHEN n % 100 < 80 THEN 'ignored'
        ELSE 'resolved'
    END,
    (ARRAY['low', 'medium', 'high', 'critical'])[1 + (n / 7) % 4],
    (ARRAY[
        'missing_webhook', 'missing_game_update', 'duplicate', 'amount_mismatch',
        'unresolved_bet', 'missed_payout', 'unexplained'
    ])[1 + n % 7],
    1000000, 0, 0, 3, 1000000 + x, 0, now(), x, 0, x,
    CASE WHEN n % 7 = 6 THEN 0 ELSE x END,
    CASE WHEN n % 7 = 6 THEN x ELSE 0 END,
    jsonb_build_array(jsonb_build_object(
        'id', 'dep-' || n, 'kind', 'payment', 'amount', x::text, 'at', '2026-01-01T00:00:00Z',
        'summary', 'deposit of a player is registered: no webhook has told its outcome',
        'cause', 'missing_webhook'
    )),
    '[]',
    CASE WHEN n % 50 = 0 THEN 'maker' END,
    now() - n * interval '30 seconds',
    now(),
    $2,
    $2,
    CASE WHEN n % 100 >= 80 THEN now() END
FROM (
    SELECT
        n,
        (n::bigint * 7919) % 200001 - 100000 AS x
    FROM generate_series(1, $1::int) AS n
) AS s
WHERE x <> 0
"""

_OTHERS: Final = (
    """
    INSERT INTO runs (run_id, scope, trigger, state, started_at, finished_at, total, compared)
    SELECT gen_random_uuid(), 'changed', 'schedule',
        CASE WHEN n % 2 = 0 THEN 'running' ELSE 'finished' END,
        now() - n * interval '1 minute',
        CASE WHEN n % 2 = 1 THEN now() - n * interval '1 minute' END, 9, 9
    FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO deliveries (
        endpoint, event_id, delivery_id, provider, received_at, body_sha256, content_sha256,
        headers, verified_by, event_type, user_id, currency, amount, state
    )
    SELECT 'stripe', 'evt_' || n, gen_random_uuid(), 'stripe', now(), '', '', '{}', 'secret',
        'payment_intent.succeeded', 'u_' || n, 'GBP', n, 'booked'
    FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO cases (case_id, kind, reference, user_id, currency, amount, reason)
    SELECT gen_random_uuid(), 'payment_overdue', 'd-' || n, 'u_' || n, 'GBP', n, '=1+1'
    FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO adjustments (
        user_id, adjustment_id, discrepancy_id, currency, amount, reason, state, ledger_version,
        available_difference, ledger_available, game_available, proposed_by
    )
    SELECT 'u_' || n, gen_random_uuid(), gen_random_uuid(), 'GBP', n, 'because', 'proposed', 3,
        n, 0, n, 'staff:maker'
    FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO bets (
        user_id, bet_id, caller_key, round_id, currency, amount, state, hold_body, hold_key,
        confirm_key, release_key, cashout_key, created_at, updated_at
    )
    SELECT 'u_' || n, gen_random_uuid(), 'bet-' || n, 'r_1', 'GBP', n, 'placing', '',
        gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now(), now()
    FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO bet_rulings (
        user_id, ruling_id, bet_id, currency, outcome, reason, evidence, standing, state,
        proposed_by, proposed_step
    )
    SELECT b.user_id, gen_random_uuid(), b.bet_id, 'GBP', 'lost', 'because', 'ticket 7', '{}',
        'proposed', 'key:lobby', gen_random_uuid()
    FROM bets AS b
    WHERE $1::int > 0
    """,
    """
    INSERT INTO audit (audit_id, actor, action, object, detail)
    SELECT gen_random_uuid(), 'cli', 'tried', 'thing:' || n, '{}'
    FROM generate_series(1, $1::int) AS n
    """,
    """
    INSERT INTO settlement_findings (
        user_id, finding_id, endpoint, file_id, kind, about, line_no, settled_currency,
        settled_amount, detail
    )
    SELECT 'u_' || n, gen_random_uuid(), 'adyen', f.file_id, 'missing_here', 'deposit', n, 'GBP',
        n, 'nobody has booked it'
    FROM generate_series(1, $1::int) AS n CROSS JOIN settlement_files AS f
    """,
)


async def discrepancies(owner: Pool, count: int) -> None:
    """So many, all first seen by one run."""
    await owner.execute(_DISCREPANCIES, count, new_id(), timeout=900)


async def everything(owner: Pool, count: int) -> None:
    """So many of each list; findings are of every settlement file there is; u_1 has the entries."""
    await discrepancies(owner, count)
    for statement in _OTHERS:
        await owner.execute(statement, count)
    async with owner.acquire() as connection, connection.transaction():
        for number in range(count):
            await post_one(
                connection,
                rules.fact_for_player(
                    "u_1",
                    Money.parse("1.00", "GBP"),
                    kind="deposit.succeeded",
                    source="test",
                    key=f"{number}:deposit",
                    event_at=now(),
                ),
            )
