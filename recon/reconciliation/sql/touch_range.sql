-- $1 run, $2 the range's first user, $3 our fence: we are still at it. No row: we are not.
UPDATE run_ranges
SET claimed_at = clock_timestamp()
WHERE run_id = $1 AND first_user = $2 AND fence = $3
RETURNING fence
