-- $1 for how long nobody may have touched a range that somebody works on. Ranges of running runs
-- that nobody works on.
SELECT
    g.run_id,
    g.first_user,
    r.scope
FROM run_ranges AS g
INNER JOIN runs AS r ON g.run_id = r.run_id
WHERE
    r.state = 'running'
    AND g.finished_at IS NULL
    AND coalesce(g.claimed_at, r.started_at) < clock_timestamp() - $1::interval
ORDER BY g.run_id, g.first_user
LIMIT 1000
