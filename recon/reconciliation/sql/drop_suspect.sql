-- $1 run, $2 user, $3 currency, $4 our look. No row: somebody else has decided on it, or will.
DELETE FROM suspects
WHERE run_id = $1 AND user_id = $2 AND currency = $3 AND looks = $4
RETURNING user_id
