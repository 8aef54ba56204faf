-- $1 run, $2 for how long it is leased, $3 how many. Whoever claims a suspect looks at it; after
-- the lease another may, and `looks` tells them apart. Those that wait for longest come first, and
-- of equals always the same: which one is looked at first is nothing that a plan decides.
WITH due AS (
    SELECT
        user_id,
        currency,
        due_at
    FROM suspects
    WHERE run_id = $1 AND due_at <= clock_timestamp()
    ORDER BY due_at, user_id, currency
    LIMIT $3
),

claimed AS (
    UPDATE suspects AS s
    SET due_at = clock_timestamp() + $2::interval, looks = s.looks + 1
    FROM due
    WHERE
        s.run_id = $1
        AND s.user_id = due.user_id
        AND s.currency = due.currency
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
        clock_timestamp() AS at,
        due.due_at AS was_due_at
)

SELECT
    user_id,
    currency,
    state,
    available_difference,
    held_difference,
    since,
    first_seen_at,
    looks,
    at
FROM claimed
ORDER BY was_due_at, user_id, currency
