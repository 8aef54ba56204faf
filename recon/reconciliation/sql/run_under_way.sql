-- $1 trigger, $2 scope. The run of theirs that has not ended, the newest first.
SELECT run_id
FROM runs
WHERE state = 'running' AND trigger = $1 AND scope = $2
ORDER BY run_id DESC
LIMIT 1
