-- Deliveries that came again,
-- that no seal covers yet: $1 the instant from which on there may be such. Their frozen bytes are
-- also in compare_repeats.sql; a column of one without the other makes every row "changed".
SELECT
    jsonb_build_array(r.endpoint, r.event_id, r.repeat_id)::text AS row_key,
    r.received_at AS at,
    sha256(
        record_send(
            row(
                r.endpoint,
                r.event_id,
                r.repeat_id,
                r.received_at,
                r.body_sha256,
                r.same_bytes
            )
        )
    ) AS row_hash
FROM public.delivery_repeats AS r
WHERE
    r.received_at >= $1
    AND NOT EXISTS (
        SELECT FROM public.seal_links AS l
        WHERE
            l.kind = 'repeat'
            AND l.at >= $1
            AND l.row_key = jsonb_build_array(r.endpoint, r.event_id, r.repeat_id)::text
    )
