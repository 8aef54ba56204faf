-- $1 run, $2 user, $3 currency, $4 state, $5 available and $6 held difference, $7 since when,
-- $8 when to look again, $9 reason.
UPDATE suspects
SET
    state = $4,
    available_difference = $5,
    held_difference = $6,
    since = $7,
    due_at = $8,
    reason = $9,
    looks = looks + 1
WHERE run_id = $1 AND user_id = $2 AND currency = $3
