-- $1 principal, $2 key, $3 our token: nothing definitive came of it, the next attempt runs anew.
DELETE FROM api_requests
WHERE principal = $1 AND idempotency_key = $2 AND token = $3 AND status IS NULL
