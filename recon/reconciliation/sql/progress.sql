-- $1 runs. Of each that has not ended: wallets looked at and not decided yet, those on the ladder
-- and those that somebody looks at right now; when the next one on the ladder is due; and how long
-- it runs. With its sums as they are then: those that were read a moment before lack what has been
-- decided since, which is not under way any more either.
SELECT
    r.run_id,
    r.total,
    r.compared,
    r.agreed,
    r.discrepant,
    r.in_flight,
    r.not_compared,
    r.cut_at IS NOT NULL AS cut,
    r.paused_at IS NOT NULL AS paused,
    g.unswept,
    g.under_way,
    s.waiting,
    extract(EPOCH FROM s.due_at - clock_timestamp())::double precision AS due_in_s,
    extract(EPOCH FROM clock_timestamp() - r.started_at)::double precision AS runs_for_s
FROM runs AS r
LEFT JOIN LATERAL (
    SELECT
        count(*) AS unswept,
        coalesce(sum(n.under_way), 0)::bigint AS under_way
    FROM run_ranges AS n
    WHERE n.run_id = r.run_id AND n.finished_at IS NULL
) AS g ON true
LEFT JOIN LATERAL (
    SELECT
        count(*) AS waiting,
        min(n.due_at) AS due_at
    FROM suspects AS n
    WHERE n.run_id = r.run_id
) AS s ON true
WHERE r.run_id = any($1::uuid[]) AND r.state = 'running'
