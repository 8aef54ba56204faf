-- $1 user, $2 bet, $3 how many. The calls that were made for it, newest first.
SELECT
    step,
    status,
    outcome,
    request_id,
    latency_ms,
    at
FROM bet_attempts
WHERE user_id = $1 AND bet_id = $2
ORDER BY attempt_id DESC
LIMIT $3
