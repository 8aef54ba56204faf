-- $1 principal, $2 key, $3 hash of the request, $4 our token, $5 after how long an unanswered
-- attempt counts as dead. Our token comes back when the request is ours to run.
INSERT INTO api_requests AS r (principal, idempotency_key, request_hash, token)
VALUES ($1, $2, $3, $4)
ON CONFLICT (principal, idempotency_key) DO UPDATE
    SET token = excluded.token, started_at = clock_timestamp()
    WHERE
    r.status IS NULL
    AND r.request_hash = excluded.request_hash
    AND r.started_at < clock_timestamp() - $5::interval
RETURNING token
