-- $1 endpoint, $2 the PSP's id of a payment, $3 reference (null: none, each). What that PSP said of
-- it, in the order of arrival; without bodies.
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
WHERE endpoint = $1 AND (payment_id = $2 OR reference = $3)
ORDER BY delivery_id
LIMIT 100
