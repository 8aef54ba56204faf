-- $1 delivery, $2 its endpoint, $3 the ids that it tells. What it has moved, each with its posting.
SELECT
    m.object_id,
    m.effect,
    m.payment_id,
    m.user_id,
    m.currency,
    m.amount,
    m.event_at,
    i.version
FROM movements AS m
LEFT JOIN idempotency AS i
    ON
        m.user_id = i.user_id
        AND i.source = 'psp:' || m.endpoint
        AND i.key = m.object_id || ':' || m.effect
WHERE m.endpoint = $2 AND m.object_id = any($3::text[]) AND m.delivery_id = $1
ORDER BY m.event_at, m.effect
