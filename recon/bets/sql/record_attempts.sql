-- $1 user, $2 bet, then one array per column of an attempt, all of one length.
INSERT INTO bet_attempts (
    user_id, bet_id, attempt_id, step, request_id, status, outcome, latency_ms, at
)
SELECT
    $1,
    $2,
    a.attempt_id,
    a.step,
    a.request_id,
    a.status,
    a.outcome,
    a.latency_ms,
    a.at
FROM unnest(
    $3::uuid[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::integer[],
    $9::timestamptz[]
) AS a (attempt_id, step, request_id, status, outcome, latency_ms, at)
