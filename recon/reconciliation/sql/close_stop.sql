-- $1 a run that has ended. What stopped runs is over when one over what changed or over everything,
-- begun since, has got to its end and most of what it compared agrees; what had a discrepancy
-- before is left aside.
UPDATE incidents AS i
SET closed_at = clock_timestamp()
FROM runs AS r
WHERE
    i.stopped_run_id IS NOT NULL
    AND i.closed_at IS NULL
    AND r.run_id = $1
    AND r.state IN ('finished', 'incomplete')
    AND r.scope <> 'users'
    AND NOT r.cut_short
    AND r.started_at >= i.until_at
    AND r.agreed * 2 > r.compared - r.persisting
RETURNING i.incident_id
