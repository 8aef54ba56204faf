-- $1 currency, $2 how many runs. What each of the last runs saw, as it explained it then; newest
-- first.
SELECT
    r.run_id,
    r.started_at,
    r.state,
    count(e.event_id) AS rows,
    coalesce(
        sum(abs((e.detail ->> 'difference')::numeric)) FILTER (
            WHERE e.detail ->> 'cause' <> 'unexplained'
        ), 0
    ) AS explained,
    coalesce(
        sum(abs((e.detail ->> 'difference')::numeric)) FILTER (
            WHERE e.detail ->> 'cause' = 'unexplained'
        ), 0
    ) AS unexplained,
    coalesce(sum((e.detail ->> 'difference')::numeric), 0) AS net
FROM (
    SELECT
        run_id,
        started_at,
        state
    FROM runs
    WHERE scope <> 'users' AND NOT dry_run AND state IN ('finished', 'incomplete')
    ORDER BY run_id DESC
    LIMIT $2
) AS r
LEFT JOIN (
    run_discrepancies AS s
    INNER JOIN discrepancies AS d
        ON s.user_id = d.user_id AND s.discrepancy_id = d.discrepancy_id AND d.currency = $1
) ON r.run_id = s.run_id
LEFT JOIN discrepancy_events AS e
    ON
        d.user_id = e.user_id
        AND d.discrepancy_id = e.discrepancy_id
        AND e.actor = 'run:' || r.run_id::text
        AND e.detail ? 'difference'
GROUP BY r.run_id, r.started_at, r.state
ORDER BY r.run_id DESC
