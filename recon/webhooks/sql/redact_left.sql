-- $1 only those after this delivery, $2 none that has to stay from this one on, $3 how many. Takes
-- the payloads of those that had to stay and need not any more. The last one that was looked at,
-- how many were, and how many lost theirs.
WITH batch AS MATERIALIZED (
    SELECT
        d.delivery_id,
        d.delivery_id >= $2 AND (
            d.state IN ('waiting', 'suspended')
            OR EXISTS (
                SELECT FROM cases AS c
                WHERE c.delivery_id = d.delivery_id AND c.state = 'open'
            )
        ) AS has_to_stay
    FROM redaction_left AS l
    INNER JOIN deliveries AS d ON l.delivery_id = d.delivery_id
    WHERE l.delivery_id > $1
    ORDER BY l.delivery_id
    LIMIT $3
),

redacted AS (
    UPDATE deliveries AS d
    SET body = NULL
    FROM batch AS b
    WHERE d.delivery_id = b.delivery_id AND NOT b.has_to_stay
    RETURNING d.delivery_id
),

done AS (
    DELETE FROM redaction_left AS l
    USING redacted AS r
    WHERE l.delivery_id = r.delivery_id
)

SELECT
    (SELECT delivery_id FROM batch ORDER BY delivery_id DESC LIMIT 1) AS last,
    (SELECT count(*) FROM batch) AS looked_at,
    (SELECT count(*) FROM redacted) AS redacted
