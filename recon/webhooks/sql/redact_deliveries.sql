-- $1 none from this delivery on, $2 none that has to stay from this one on, $3 how many. Takes the
-- payloads of the next ones by age and remembers how far it came. What is waiting or in suspense,
-- or has an open case, has to stay and is noted down. How many were looked at, how many lost it.
WITH place AS (
    SELECT done_until FROM redaction FOR UPDATE
),

batch AS MATERIALIZED (
    SELECT
        d.delivery_id,
        d.body IS NOT NULL AND d.delivery_id >= $2 AND (
            d.state IN ('waiting', 'suspended')
            OR EXISTS (
                SELECT FROM cases AS c
                WHERE c.delivery_id = d.delivery_id AND c.state = 'open'
            )
        ) AS has_to_stay
    FROM deliveries AS d
    WHERE d.delivery_id > (SELECT p.done_until FROM place AS p) AND d.delivery_id < $1
    ORDER BY d.delivery_id
    LIMIT $3
),

left_alone AS (
    INSERT INTO redaction_left (delivery_id)
    SELECT delivery_id FROM batch
    WHERE has_to_stay
    ON CONFLICT DO NOTHING
),

redacted AS (
    UPDATE deliveries AS d
    SET body = NULL
    FROM batch AS b
    WHERE d.delivery_id = b.delivery_id AND NOT b.has_to_stay AND d.body IS NOT NULL
    RETURNING d.delivery_id
),

moved AS (
    UPDATE redaction
    SET done_until = (SELECT delivery_id FROM batch ORDER BY delivery_id DESC LIMIT 1)
    WHERE EXISTS (SELECT FROM batch)
)

SELECT
    (SELECT count(*) FROM batch) AS looked_at,
    (SELECT count(*) FROM redacted) AS redacted
