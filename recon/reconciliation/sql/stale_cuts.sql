-- $1 for how long. Running runs that began so long ago and are not cut into ranges yet.
SELECT
    run_id,
    scope
FROM runs
WHERE
    state = 'running'
    AND cut_at IS NULL
    AND started_at < clock_timestamp() - $1::interval
ORDER BY run_id
