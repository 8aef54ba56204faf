-- $1 user, $2 references. What a PSP reported of them and is in no player's book. Oldest first.
SELECT
    delivery_id,
    endpoint,
    event_type,
    kind,
    state,
    reason,
    currency,
    amount,
    reference,
    payment_id,
    received_at,
    verified_by
FROM deliveries
WHERE
    state IN ('waiting', 'suspended', 'quarantined')
    AND (user_id = $1 OR reference = any($2::text[]))
ORDER BY delivery_id
LIMIT 500
