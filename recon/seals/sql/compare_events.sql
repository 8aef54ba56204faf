-- What happened to discrepancies,
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
        ELSE 'unsealed'
    END AS finding
FROM (
    SELECT
        seq,
        row_key,
        at,
        row_hash
    FROM public.seal_links
    WHERE kind = 'event'
) AS l
FULL JOIN (
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
) AS f ON l.row_key = f.row_key
WHERE l.row_hash IS DISTINCT FROM f.row_hash
