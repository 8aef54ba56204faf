-- $1 run. How far it is cut, locked until the end of the transaction; no row: it is cut already, or
-- has ended.
SELECT
    scope,
    since,
    cut_to
FROM runs
WHERE run_id = $1 AND state = 'running' AND cut_at IS NULL
FOR NO KEY UPDATE
