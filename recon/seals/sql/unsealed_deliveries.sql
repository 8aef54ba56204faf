-- Deliveries, without what becomes of them and what their bytes are read to say,
-- that no seal covers yet: $1 the instant from which on there may be such. Their frozen bytes are
-- also in compare_deliveries.sql; a column of one without the other makes every row "changed".
SELECT
    jsonb_build_array(d.endpoint, d.event_id)::text AS row_key,
    d.received_at AS at,
    sha256(
        record_send(
            row(
                d.endpoint,
                d.event_id,
                d.delivery_id,
                d.provider,
                d.received_at,
                d.body_sha256,
                d.content_sha256,
                d.headers,
                d.verified_by
            )
        )
    ) AS row_hash
FROM public.deliveries AS d
WHERE
    d.received_at >= $1
    -- By the ids, which are ordered by time and indexed, unlike the time itself.
    AND d.delivery_id >= (
        lpad(to_hex(floor(extract(EPOCH FROM $1 - interval '1 minute') * 1000)::bigint), 12, '0')
        || repeat('0', 20)
    )::uuid
    AND NOT EXISTS (
        SELECT FROM public.seal_links AS l
        WHERE
            l.kind = 'delivery'
            AND l.at >= $1
            AND l.row_key = jsonb_build_array(d.endpoint, d.event_id)::text
    )
