-- $1 principal, $2 key, $3 our token, $4 status, $5 content type, $6 headers, $7 body.
UPDATE api_requests
SET status = $4, content_type = $5, headers = $6, body = $7
WHERE principal = $1 AND idempotency_key = $2 AND token = $3
