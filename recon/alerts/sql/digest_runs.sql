-- $1 since, $2 until. Runs that ended in between, by how; not those of a few wallets.
SELECT
    r.state,
    count(*) AS count
FROM runs AS r
WHERE
    r.scope <> 'users'
    AND NOT r.dry_run
    AND r.finished_at >= $1
    AND r.finished_at < $2
    AND r.started_at >= $1::timestamptz - interval '30 days'
GROUP BY 1
ORDER BY 1
