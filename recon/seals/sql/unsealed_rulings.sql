-- Rulings of bets as they were proposed,
-- that no seal covers yet: $1 the instant from which on there may be such. Their frozen bytes are
-- also in compare_rulings.sql; a column of one without the other makes every row "changed".
SELECT
    jsonb_build_array(j.user_id, j.ruling_id)::text AS row_key,
    j.proposed_at AS at,
    sha256(
        record_send(
            row(
                j.user_id,
                j.ruling_id,
                j.bet_id,
                j.currency,
                j.outcome,
                j.payout,
                j.payout_transaction_id,
                j.ticket_id,
                j.reason,
                j.evidence,
                j.standing,
                j.proposed_by,
                j.proposed_at,
                j.proposed_step
            )
        )
    ) AS row_hash
FROM public.bet_rulings AS j
WHERE
    j.proposed_at >= $1
    AND NOT EXISTS (
        SELECT FROM public.seal_links AS l
        WHERE
            l.kind = 'ruling'
            AND l.at >= $1
            AND l.row_key = jsonb_build_array(j.user_id, j.ruling_id)::text
    )
