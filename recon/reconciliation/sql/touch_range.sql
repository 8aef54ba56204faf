-- $1 run, $2 the range's first user, $3 our fence: we are still at it, $4 with so many wallets
-- looked at that are not written yet. No row: we are not, or the run has ended.
UPDATE run_ranges AS g
SET claimed_at = clock_timestamp(), under_way = $4
FROM runs AS r
WHERE
    g.run_id = $1
    AND g.first_user = $2
    AND g.fence = $3
    AND r.run_id = g.run_id
    AND r.state = 'running'
RETURNING r.paused_at IS NOT NULL AS paused
