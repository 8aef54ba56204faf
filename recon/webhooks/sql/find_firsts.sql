-- Deliveries that came again in other bytes: $1 those that a PSP's own list tells of now, $2 those
-- that a webhook does, of which only what the list told before is of interest. With their bodies.
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
    body,
    body_sha256,
    headers
FROM deliveries
WHERE
    delivery_id = any($1::uuid[])
    OR (delivery_id = any($2::uuid[]) AND verified_by LIKE 'api:%')
