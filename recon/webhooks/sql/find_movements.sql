-- $1 endpoints, $2 ids by which payments are named, $3 ids of refunds, disputes and payouts, in
-- parallel (null: none). Every movement of those payments and those of those objects, oldest first.
WITH named AS (
    SELECT
        endpoint,
        payment_id
    FROM unnest($1::text[], $2::text[]) AS a (endpoint, payment_id)
    WHERE payment_id IS NOT NULL
),

known AS (
    SELECT
        endpoint,
        payment_id
    FROM named
    UNION
    SELECT
        m.endpoint,
        m.payment_id
    FROM named AS n
    INNER JOIN movements AS m ON n.endpoint = m.endpoint AND n.payment_id = m.also_known_as
),

found AS (
    SELECT m.*
    FROM known AS k
    INNER JOIN movements AS m ON k.endpoint = m.endpoint AND k.payment_id = m.payment_id
    UNION
    SELECT m.*
    FROM unnest($1::text[], $3::text[]) AS a (endpoint, object_id)
    INNER JOIN movements AS m ON a.endpoint = m.endpoint AND a.object_id = m.object_id
)

SELECT
    endpoint,
    object_id,
    effect,
    delivery_id,
    payment_id,
    also_known_as,
    user_id,
    currency,
    amount,
    event_at
FROM found
ORDER BY delivery_id, object_id, effect
