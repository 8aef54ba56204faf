-- $1 endpoint, $2 reference, $3 how many at most. Deliveries that say what has become of a payment
-- that is being registered: oldest event first, with the bodies of those that may be decided again.
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
    CASE WHEN state IN ('ignored', 'waiting', 'suspended') THEN body END AS body,
    body_sha256,
    headers
FROM deliveries
WHERE
    endpoint = $1
    AND reference = $2
    AND kind IS NOT NULL
    AND state <> 'quarantined'
ORDER BY event_at, delivery_id
LIMIT $3
