-- $1 delivery.
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
WHERE delivery_id = $1
