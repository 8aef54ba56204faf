-- $1 endpoint, $2 reference, $3 the PSP's payment id (null: none yet). Oldest first.
SELECT
    delivery_id,
    event_type,
    state,
    reason,
    received_at
FROM deliveries
WHERE endpoint = $1 AND (reference = $2 OR payment_id = $3)
ORDER BY delivery_id
LIMIT 100
