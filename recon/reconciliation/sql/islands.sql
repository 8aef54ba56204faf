-- $1 run, $2 the longest pause within an incident, $3 the fewest wallets of one. Discrepancies that
-- are open, of a cause and a root that this run has seen, and close together in time; with the open
-- incident that is already about them, if any, of which there may be fewer by now.
WITH touched AS (
    SELECT DISTINCT
        d.cause,
        d.root
    FROM run_discrepancies AS s
    INNER JOIN discrepancies AS d ON s.user_id = d.user_id AND s.discrepancy_id = d.discrepancy_id
    WHERE s.run_id = $1 AND d.root IS NOT NULL
),

marked AS (
    SELECT
        d.cause,
        d.root,
        d.root_at,
        d.user_id,
        coalesce(
            d.root_at - lag(d.root_at) OVER (PARTITION BY d.cause, d.root ORDER BY d.root_at)
            > $2::interval,
            true
        ) AS begins
    FROM touched AS t
    INNER JOIN discrepancies AS d ON t.cause = d.cause AND t.root = d.root
    WHERE d.closed_at IS NULL
),

numbered AS (
    SELECT
        m.cause,
        m.root,
        m.root_at,
        m.user_id,
        count(*) FILTER (WHERE m.begins) OVER (
            PARTITION BY m.cause, m.root ORDER BY m.root_at
        ) AS island
    FROM marked AS m
),

islands AS (
    SELECT
        n.cause,
        n.root,
        min(n.root_at) AS from_at,
        max(n.root_at) AS until_at,
        count(DISTINCT n.user_id) AS users
    FROM numbered AS n
    GROUP BY n.cause, n.root, n.island
)

SELECT
    i.cause,
    i.root,
    i.from_at,
    i.until_at,
    k.incident_id
FROM islands AS i
LEFT JOIN LATERAL (
    SELECT o.incident_id
    FROM incidents AS o
    WHERE
        o.closed_at IS NULL
        AND o.cause = i.cause
        AND o.root = i.root
        AND o.from_at <= i.until_at + $2::interval
        AND o.until_at >= i.from_at - $2::interval
    ORDER BY o.incident_id
    LIMIT 1
) AS k ON true
WHERE i.users >= $3::integer OR k.incident_id IS NOT NULL
ORDER BY i.from_at, i.cause, i.root
