-- Runs that have not ended, oldest first.
SELECT run_id
FROM runs
WHERE state = 'running'
ORDER BY run_id
