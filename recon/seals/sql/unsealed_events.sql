-- What happened to discrepancies,
-- that no seal covers yet: $1 the instant from which on there may be such. Their frozen bytes are
-- also in compare_events.sql; a column of one without the other makes every row "changed".
SELECT
    jsonb_build_array(e.user_id, e.discrepancy_id, e.event_id)::text AS row_key,
    e.at,
    sha256(
        record_send(
            row(
                e.user_id,
                e.discrepancy_id,
                e.event_id,
                e.at,
                e.actor,
                e.action,
                e.detail
            )
        )
    ) AS row_hash
FROM public.discrepancy_events AS e
WHERE
    e.at >= $1
    AND NOT EXISTS (
        SELECT FROM public.seal_links AS l
        WHERE
            l.kind = 'event'
            AND l.at >= $1
            AND l.row_key = jsonb_build_array(e.user_id, e.discrepancy_id, e.event_id)::text
    )
