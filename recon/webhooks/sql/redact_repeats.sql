-- $1 only those after this repeat, $2 none from this one on, $3 none that has to stay from this one
-- on, $4 how many. Takes the other bytes that came under a known event id, once nobody has to look
-- at them. The last one that was looked at, how many were, and how many lost theirs.
WITH batch AS MATERIALIZED (
    SELECT
        r.endpoint,
        r.event_id,
        r.repeat_id,
        r.repeat_id >= $3 AND EXISTS (
            SELECT FROM deliveries AS d
            WHERE
                d.endpoint = r.endpoint
                AND d.event_id = r.event_id
                AND (
                    d.state IN ('waiting', 'suspended')
                    OR EXISTS (
                        SELECT FROM cases AS c
                        WHERE c.delivery_id = d.delivery_id AND c.state = 'open'
                    )
                )
        ) AS has_to_stay
    FROM delivery_repeats AS r
    WHERE r.body IS NOT NULL AND r.repeat_id > $1 AND r.repeat_id < $2
    ORDER BY r.repeat_id
    LIMIT $4
),

redacted AS (
    UPDATE delivery_repeats AS r
    SET body = NULL
    FROM batch AS b
    WHERE
        r.endpoint = b.endpoint
        AND r.event_id = b.event_id
        AND r.repeat_id = b.repeat_id
        AND NOT b.has_to_stay
    RETURNING r.repeat_id
)

SELECT
    (SELECT repeat_id FROM batch ORDER BY repeat_id DESC LIMIT 1) AS last,
    (SELECT count(*) FROM batch) AS looked_at,
    (SELECT count(*) FROM redacted) AS redacted
