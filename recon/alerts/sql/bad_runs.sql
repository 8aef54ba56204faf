-- $1 only runs that ended since. Those that failed or did not reach every wallet, of which nobody
-- was told, oldest first. A dry run and one of a few wallets have somebody who waits for them.
SELECT
    r.run_id,
    r.scope,
    r.trigger,
    r.state,
    r.reason,
    r.started_at,
    r.finished_at,
    r.total,
    r.compared,
    r.not_compared
FROM runs AS r
WHERE
    r.started_at > clock_timestamp() - interval '30 days'
    AND r.state IN ('failed', 'incomplete')
    AND r.scope <> 'users'
    AND NOT r.dry_run
    AND r.finished_at >= $1
    AND NOT EXISTS (
        SELECT
        FROM alert_subjects AS s
        WHERE s.kind = 'run' AND s.subject = r.run_id::text
    )
ORDER BY r.started_at
