-- $1 principal, $2 key.
SELECT
    request_hash,
    status,
    content_type,
    headers,
    body
FROM api_requests
WHERE principal = $1 AND idempotency_key = $2
