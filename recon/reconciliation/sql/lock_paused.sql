-- $1 run, $2 since when it waits. No row: somebody else has decided what becomes of it.
SELECT run_id
FROM runs
WHERE run_id = $1 AND paused_at = $2 AND state = 'running'
FOR NO KEY UPDATE
