-- $1 run, $2 for how long it is leased, $3 how many. Whoever claims a suspect looks at it; after
-- the lease another may, and `looks` tells them apart.
UPDATE suspects AS s
SET due_at = clock_timestamp() + $2::interval, looks = s.looks + 1
FROM (
    SELECT
        user_id,
        currency
    FROM suspects
    WHERE run_id = $1 AND due_at <= clock_timestamp()
    ORDER BY due_at
    LIMIT $3
) AS d
WHERE
    s.run_id = $1
    AND s.user_id = d.user_id
    AND s.currency = d.currency
    AND s.due_at <= clock_timestamp()
RETURNING
    s.user_id,
    s.currency,
    s.state,
    s.available_difference,
    s.held_difference,
    s.since,
    s.first_seen_at,
    s.looks,
    clock_timestamp() AS at
