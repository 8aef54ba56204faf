-- Deliveries, without what becomes of them and what their bytes are read to say,
-- that are not what was sealed, and those that no seal covers: $1 the instant before which such a
-- row was not there in time, null where nothing is certain yet.
SELECT
    l.seq,
    coalesce(l.row_key, f.row_key) AS row_key,
    coalesce(f.at, l.at) AS at,
    CASE
        WHEN f.row_key IS NULL THEN 'missing'
        WHEN l.row_hash <> f.row_hash THEN 'changed'
        WHEN l.seq IS NULL AND f.at < $1 THEN 'inserted'
        WHEN f.is_other_body THEN 'body'
        ELSE 'unsealed'
    END AS finding
FROM (
    SELECT
        seq,
        row_key,
        at,
        row_hash
    FROM public.seal_links
    WHERE kind = 'delivery'
) AS l
FULL JOIN (
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
        ) AS row_hash,
        d.body IS NOT NULL AND sha256(d.body) <> d.body_sha256 AS is_other_body
    FROM public.deliveries AS d
) AS f ON l.row_key = f.row_key
WHERE l.row_hash IS DISTINCT FROM f.row_hash OR f.is_other_body
