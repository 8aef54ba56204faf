-- $1 run, $2 now, $3 leased until, $4 how many. Whoever claims a suspect looks at it; after the
-- lease another may.
UPDATE suspects AS s
SET due_at = $3
FROM (
    SELECT
        user_id,
        currency
    FROM suspects
    WHERE run_id = $1 AND due_at <= $2
    ORDER BY due_at
    LIMIT $4
) AS d
WHERE
    s.run_id = $1 AND s.user_id = d.user_id AND s.currency = d.currency AND s.due_at <= $2
RETURNING
    s.user_id,
    s.currency,
    s.state,
    s.available_difference,
    s.held_difference,
    s.since,
    s.first_seen_at,
    s.looks
