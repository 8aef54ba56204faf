-- $1 state, $2 endpoint, $3 only those before this delivery (null: all), $4 how many. Newest first;
-- without their bodies.
SELECT
    delivery_id,
    endpoint,
    event_id,
    provider,
    received_at,
    verified_by,
    event_type,
    kind,
    payment_id,
    effect_id,
    reference,
    user_id,
    currency,
    amount,
    event_at,
    state,
    reason,
    NULL::bytea AS body,
    body_sha256,
    headers
FROM deliveries
WHERE
    ($1::text IS NULL OR state = $1)
    AND ($2::text IS NULL OR endpoint = $2)
    AND ($3::uuid IS NULL OR delivery_id < $3)
ORDER BY delivery_id DESC
LIMIT $4
