-- $1 run, $2 user, $3 currency. No row: somebody else has decided on it.
DELETE FROM suspects
WHERE run_id = $1 AND user_id = $2 AND currency = $3
RETURNING user_id
