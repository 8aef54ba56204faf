-- Movements that are not what was sealed, and those that no seal covers: $1 the instant before
-- which such a row was not there in time, null where nothing is certain yet. A movement has its
-- posting's time; without one it was never there in time.
SELECT
    d.seq,
    d.row_key,
    coalesce(d.recorded_at, d.at) AS at,
    CASE
        WHEN d.is_missing THEN 'missing'
        WHEN d.seq IS NOT NULL THEN 'changed'
        WHEN d.recorded_at IS NULL OR d.recorded_at < $1 THEN 'inserted'
        ELSE 'unsealed'
    END AS finding
FROM (
    SELECT
        l.seq,
        l.at,
        coalesce(l.row_key, f.row_key) AS row_key,
        f.row_key IS NULL AS is_missing,
        (
            SELECT p.recorded_at
            FROM public.idempotency AS i
            INNER JOIN public.postings AS p
                ON i.user_id = p.user_id AND i.currency = p.currency AND i.version = p.version
            WHERE i.user_id = f.user_id AND i.source = f.source AND i.key = f.key
        ) AS recorded_at
    FROM (
        SELECT
            seq,
            row_key,
            at,
            row_hash
        FROM public.seal_links
        WHERE kind = 'movement'
    ) AS l
    FULL JOIN (
        SELECT
            m.user_id,
            'psp:' || m.endpoint AS source,
            m.object_id || ':' || m.effect AS key,
            jsonb_build_array(m.endpoint, m.object_id, m.effect)::text AS row_key,
            sha256(
                record_send(
                    row(
                        m.endpoint,
                        m.object_id,
                        m.effect,
                        m.delivery_id,
                        m.payment_id,
                        m.also_known_as,
                        m.user_id,
                        m.currency,
                        m.amount,
                        m.event_at
                    )
                )
            ) AS row_hash
        FROM public.movements AS m
    ) AS f ON l.row_key = f.row_key
    WHERE l.row_hash IS DISTINCT FROM f.row_hash
) AS d
