-- $1 currency, $2 how many runs. How many wallets each of the last runs saw agree, and what it saw
-- in one currency, as it explained it then; newest first.
SELECT
    r.run_id,
    r.started_at,
    r.state,
    r.compared,
    r.agreed,
    r.discrepant,
    r.not_compared,
    r.forgotten_at,
    coalesce(t.discrepancies, 0) AS rows,
    coalesce(t.explained, 0) AS explained,
    coalesce(t.unexplained, 0) AS unexplained,
    coalesce(t.net, 0) AS net
FROM (
    SELECT
        run_id,
        started_at,
        state,
        compared,
        agreed,
        discrepant,
        not_compared,
        forgotten_at
    FROM runs
    WHERE scope <> 'users' AND NOT dry_run AND state IN ('finished', 'incomplete')
    ORDER BY started_at DESC
    LIMIT $2
) AS r
LEFT JOIN run_totals AS t ON r.run_id = t.run_id AND t.currency = $1
ORDER BY r.started_at DESC
