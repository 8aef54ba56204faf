-- $1 run, $2 user, $3 currency, $4 our look, $5 state, $6 available and $7 held difference, $8
-- since when, $9 after how long to look again, $10 reason. Nothing happens if another look came
-- after ours.
UPDATE suspects
SET
    state = $5,
    available_difference = $6,
    held_difference = $7,
    since = $8,
    due_at = clock_timestamp() + $9::interval,
    reason = $10
WHERE run_id = $1 AND user_id = $2 AND currency = $3 AND looks = $4
