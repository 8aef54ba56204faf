"""Say of what is missing here whose it is, by what is registered and by unbooked deliveries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recon.settlements.stage import Stage

__all__ = ["attribute"]


def attribute(stage: Stage, *, never_says_paid: bool) -> None:
    """Say of what is missing here whose it is and what we know of it, by ``known``.

    A withdrawal that was accepted, at a PSP that never says that one is paid, is no finding: the
    file is how it says so.
    """
    stage.run("""
        CREATE OR REPLACE TABLE told_of AS
        SELECT kind, payment_id, effect_id, unnest(told)
        FROM (
        SELECT
            o.kind, o.payment_id, o.effect_id,
            -- Of one of them everything: a payment's own id says more than a reference of ours.
            arg_min(
                {
                    'user_id': k.user_id, 'reference': k.reference, 'detail': k.detail,
                    'direction': k.direction, 'state': k.state, 'amount': k.amount,
                    'currency': k.currency
                },
                {'a': k.direction = 'delivery', 'b': o.is_ours, 'c': k.reference, 'd': k.detail}
            ) AS told
        FROM (
            SELECT *, payment_id AS id, false AS is_ours FROM odd
            UNION ALL
            SELECT *, chr(31) || reference, true FROM odd
            WHERE reference IS NOT NULL AND payment_id <> chr(31) || reference
        ) AS o
        JOIN (
            SELECT payment_id AS id, * FROM known WHERE payment_id IS NOT NULL
            UNION ALL
            SELECT chr(31) || reference, * FROM known WHERE reference IS NOT NULL
        ) AS k ON k.id = o.id
        WHERE o.verdict IN ('missing_here', 'status_conflict')
        GROUP BY o.kind, o.payment_id, o.effect_id
        )
    """)
    if never_says_paid:
        stage.run("""
            DELETE FROM odd AS o USING told_of AS t
            WHERE o.kind = t.kind AND o.payment_id = t.payment_id
                AND o.verdict = 'missing_here' AND o.kind = 'withdrawal'
                AND t.direction = 'withdrawal' AND t.state IN ('pending', 'accepted')
                AND t.amount = o.settled_amount AND t.currency = o.settled_currency
        """)
    stage.run("""
        UPDATE odd AS o
        SET
            holder = coalesce(o.holder, t.user_id),
            reference = coalesce(t.reference, o.reference),
            told = t.detail,
            verdict = CASE
                WHEN t.direction IN ('deposit', 'withdrawal')
                    AND t.state IN ('failed', 'returned') AND o.kind = t.direction
                THEN 'status_conflict'
                ELSE o.verdict
            END
        FROM told_of AS t
        WHERE o.kind = t.kind AND o.payment_id = t.payment_id
            AND o.effect_id IS NOT DISTINCT FROM t.effect_id
            AND o.verdict IN ('missing_here', 'status_conflict')
    """)
