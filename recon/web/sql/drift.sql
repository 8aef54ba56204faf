-- $1 currency, $2 how many runs, $3 only those from then on (null: the last ones), $4 only those
-- before then (null: until now). How many wallets each run saw agree, and what it saw in one
-- currency, as it explained it then; newest first. Of more runs since $3, as many as are asked for
-- are evenly spaced among them all.
WITH ended AS (
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
    WHERE
        scope <> 'users'
        AND NOT dry_run
        AND state IN ('finished', 'incomplete')
        AND started_at >= coalesce($3::timestamptz, '-infinity')
        AND started_at < coalesce($4::timestamptz, 'infinity')
    ORDER BY started_at DESC
    LIMIT CASE WHEN $3::timestamptz IS NULL THEN $2::integer END
),

spaced AS (
    SELECT
        e.*,
        count(*) OVER () AS among,
        ntile($2::integer) OVER (ORDER BY e.started_at) AS tile
    FROM ended AS e
),

r AS (
    SELECT DISTINCT ON (s.tile) s.*
    FROM spaced AS s
    ORDER BY s.tile ASC, s.started_at DESC
)

SELECT
    r.run_id,
    r.started_at,
    r.state,
    r.compared,
    r.agreed,
    r.discrepant,
    r.not_compared,
    r.forgotten_at,
    r.among,
    coalesce(t.discrepancies, 0) AS rows,
    coalesce(t.explained, 0) AS explained,
    coalesce(t.unexplained, 0) AS unexplained,
    coalesce(t.net, 0) AS net
FROM r
LEFT JOIN run_totals AS t ON r.run_id = t.run_id AND t.currency = $1
ORDER BY r.started_at DESC
