-- $1 endpoint, $2 ids of payments, charges, refunds, disputes or payouts: what has moved under one
-- of them, whenever it did. Columns as in booked_within.sql.
SELECT
    m.effect,
    m.payment_id,
    m.object_id AS effect_id,
    m.also_known_as,
    m.user_id,
    m.currency,
    m.amount,
    m.event_at AT TIME ZONE 'UTC' AS booked_at
FROM (
    SELECT
        a.endpoint,
        a.object_id,
        a.effect
    FROM unnest($2::text[]) AS n (id)
    INNER JOIN movements AS a ON n.id = a.object_id AND a.endpoint = $1
    UNION
    SELECT
        b.endpoint,
        b.object_id,
        b.effect
    FROM unnest($2::text[]) AS n (id)
    INNER JOIN movements AS b ON n.id = b.payment_id AND b.payment_id <> b.object_id
    WHERE b.endpoint = $1
    UNION
    SELECT
        c.endpoint,
        c.object_id,
        c.effect
    FROM unnest($2::text[]) AS n (id)
    INNER JOIN movements AS c ON n.id = c.also_known_as
    WHERE c.endpoint = $1
) AS k
INNER JOIN movements AS m
    ON k.endpoint = m.endpoint AND k.object_id = m.object_id AND k.effect = m.effect
WHERE m.effect NOT LIKE 'voided%'
