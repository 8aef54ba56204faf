-- $1 states, $2 endpoint, $3 only those before this delivery, $4 and none before this id, $5
-- received from, $6 received before, $7 among these deliveries (null: all, each), $8 how many to
-- look at, $9 how many to show. Newest first; without their bodies.
-- Turned it is the other way round, and before is after.
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
FROM (
    SELECT *
    FROM deliveries
    WHERE
        ($1::text[] IS NULL OR state = any($1))
        AND ($3::uuid IS NULL OR delivery_id < $3) -- turns
        AND ($4::uuid IS NULL OR delivery_id >= $4) -- turns
        AND ($7::uuid[] IS NULL OR delivery_id = any($7))
    ORDER BY delivery_id DESC -- turns
    LIMIT $8
) AS d
WHERE
    ($2::text IS NULL OR endpoint = $2)
    AND ($5::timestamptz IS NULL OR received_at >= $5)
    AND ($6::timestamptz IS NULL OR received_at < $6)
ORDER BY delivery_id DESC -- turns
LIMIT $9
