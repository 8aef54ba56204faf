-- $1 endpoint, $2 event id. Oldest first.
SELECT
    repeat_id,
    received_at,
    body_sha256,
    same_bytes
FROM delivery_repeats
WHERE endpoint = $1 AND event_id = $2
ORDER BY repeat_id
LIMIT 100
