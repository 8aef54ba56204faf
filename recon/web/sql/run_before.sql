-- $1 run. The one with which it is compared: the last that had ended before it began, over what had
-- changed or everything. No row: there is none, or $1 is none of those itself.
SELECT b.run_id
FROM runs AS r
INNER JOIN runs AS b ON (r.started_at, r.run_id) > (b.started_at, b.run_id)
WHERE
    r.run_id = $1
    AND r.scope <> 'users'
    AND NOT r.dry_run
    AND r.state IN ('finished', 'incomplete')
    AND b.scope <> 'users'
    AND NOT b.dry_run
    AND b.state IN ('finished', 'incomplete')
ORDER BY b.started_at DESC, b.run_id DESC
LIMIT 1
