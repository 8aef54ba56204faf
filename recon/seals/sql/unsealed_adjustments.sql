-- Adjustments as they were proposed,
-- that no seal covers yet: $1 the instant from which on there may be such. Their frozen bytes are
-- also in compare_adjustments.sql; a column of one without the other makes every row "changed".
SELECT
    jsonb_build_array(j.user_id, j.adjustment_id)::text AS row_key,
    j.proposed_at AS at,
    sha256(
        record_send(
            row(
                j.user_id,
                j.adjustment_id,
                j.discrepancy_id,
                j.currency,
                j.amount,
                j.reason,
                j.ledger_version,
                j.available_difference,
                j.ledger_available,
                j.game_available,
                j.proposed_by,
                j.proposed_at
            )
        )
    ) AS row_hash
FROM public.adjustments AS j
WHERE
    j.proposed_at >= $1
    AND NOT EXISTS (
        SELECT FROM public.seal_links AS l
        WHERE
            l.kind = 'adjustment'
            AND l.at >= $1
            AND l.row_key = jsonb_build_array(j.user_id, j.adjustment_id)::text
    )
