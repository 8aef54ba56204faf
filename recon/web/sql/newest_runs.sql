-- The last run over all or all changed wallets that has ended, and the one that is under way.
SELECT
    (
        SELECT r.run_id
        FROM runs AS r
        WHERE r.scope <> 'users' AND NOT r.dry_run AND r.state <> 'running'
        ORDER BY r.started_at DESC
        LIMIT 1
    ) AS ended,
    (
        SELECT r.run_id
        FROM runs AS r
        WHERE r.scope <> 'users' AND NOT r.dry_run AND r.state = 'running'
        ORDER BY r.started_at DESC
        LIMIT 1
    ) AS running
