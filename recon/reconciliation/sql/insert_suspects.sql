-- $1 run, $2 users, $3 currencies, $4 states, $5 available and $6 held differences, $7 reasons, in
-- parallel; $8 after how long to look again.
INSERT INTO suspects (
    run_id, user_id, currency, state, available_difference, held_difference, reason,
    since, first_seen_at, due_at
)
SELECT
    $1,
    s.user_id,
    s.currency,
    s.state,
    s.available_difference,
    s.held_difference,
    s.reason,
    clock_timestamp(),
    clock_timestamp(),
    clock_timestamp() + $8::interval
FROM
    unnest($2::text[], $3::text[], $4::text[], $5::numeric[], $6::numeric[], $7::text[])
        AS s (user_id, currency, state, available_difference, held_difference, reason)
ON CONFLICT (user_id, currency, run_id) DO NOTHING
