-- $1 run, $2 the range's first user, $3 a claim untouched for so long is stale. Whoever claims last
-- holds the fence; a finished range, one that somebody works on, or an ended run gives no row.
UPDATE run_ranges AS g
SET fence = g.fence + 1, claimed_at = clock_timestamp(), under_way = 0
FROM runs AS r
WHERE
    g.run_id = $1
    AND g.first_user = $2
    AND g.finished_at IS NULL
    AND (g.claimed_at IS NULL OR g.claimed_at < clock_timestamp() - $3::interval)
    AND r.run_id = g.run_id
    AND r.state = 'running'
RETURNING
    g.fence,
    g.last_user,
    coalesce(g.at_user, g.first_user) AS at_user,
    coalesce(g.at_currency, '') AS at_currency,
    r.scope,
    r.dry_run
