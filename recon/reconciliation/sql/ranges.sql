-- $1 run. Its ranges that are not finished.
SELECT first_user
FROM run_ranges
WHERE run_id = $1 AND finished_at IS NULL
ORDER BY first_user
