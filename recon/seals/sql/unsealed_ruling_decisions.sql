-- Rulings of bets as they were decided,
-- that no seal covers yet: $1 the instant from which on there may be such. Their frozen bytes are
-- also in compare_ruling_decisions.sql; a column of one without the other makes every row
-- "changed".
SELECT
    jsonb_build_array(j.user_id, j.ruling_id)::text AS row_key,
    j.decided_at AS at,
    sha256(
        record_send(
            row(
                j.user_id,
                j.ruling_id,
                j.state,
                j.decided_by,
                j.decided_at,
                j.decided_step,
                j.decision_reason
            )
        )
    ) AS row_hash
FROM public.bet_rulings AS j
WHERE
    j.decided_at >= $1
    AND NOT EXISTS (
        SELECT FROM public.seal_links AS l
        WHERE
            l.kind = 'ruling_decision'
            AND l.at >= $1
            AND l.row_key = jsonb_build_array(j.user_id, j.ruling_id)::text
    )
