-- Movements that no seal covers yet: $1 the instant from which on there may be such. A movement has
-- no time of its own; it is found by its posting, which was committed with it. Their frozen bytes
-- are also in compare_movements.sql; a column of one without the other makes every row "changed".
SELECT
    jsonb_build_array(m.endpoint, m.object_id, m.effect)::text AS row_key,
    p.recorded_at AS at,
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
FROM (
    SELECT
        recorded_at,
        user_id,
        key,
        substr(source, 5) AS endpoint,
        -- <object>:<effect>, where the effect may end in :released and the object may have colons.
        substring(
            key FROM CASE WHEN key LIKE '%:released' THEN '[^:]*:released$' ELSE '[^:]*$' END
        ) AS effect
    FROM public.postings
    WHERE recorded_at >= $1 AND source LIKE 'psp:%'
) AS p
CROSS JOIN
    LATERAL (
        SELECT n.* FROM public.movements AS n
        WHERE
            n.endpoint = p.endpoint
            AND n.object_id = left(p.key, -1 - length(p.effect))
            AND n.effect = p.effect
            AND n.user_id = p.user_id
        -- There is one at most; so it is looked up by its key, posting by posting.
        ORDER BY n.object_id
        LIMIT 1
    ) AS m
WHERE NOT EXISTS (
    SELECT FROM public.seal_links AS l
    WHERE
        l.kind = 'movement'
        AND l.at >= $1
        AND l.row_key = jsonb_build_array(m.endpoint, m.object_id, m.effect)::text
)
