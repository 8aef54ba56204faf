-- $1 a run that has ended. What it saw against what was known before, and in all by currency.
WITH seen AS (
    SELECT
        s.currency,
        count(*) FILTER (WHERE s.standing = 'opened') AS opened,
        count(*) FILTER (WHERE s.standing IN ('persisting', 'changed')) AS persisting,
        count(*) FILTER (WHERE s.standing = 'reopened') AS reopened,
        count(*) FILTER (WHERE s.standing = 'healed') AS healed,
        count(*) FILTER (WHERE s.standing <> 'healed') AS discrepancies,
        sum(abs(s.explained)) AS explained,
        sum(abs(s.unexplained)) AS unexplained,
        sum(s.difference) AS net
    FROM run_discrepancies AS s
    WHERE s.run_id = $1
    GROUP BY s.currency
),

totals AS (
    INSERT INTO run_totals (run_id, currency, discrepancies, explained, unexplained, net)
    SELECT
        $1,
        t.currency,
        t.discrepancies,
        t.explained,
        t.unexplained,
        t.net
    FROM seen AS t
    WHERE t.discrepancies > 0
    ON CONFLICT DO NOTHING
)

UPDATE runs AS r
SET
    opened = a.opened,
    persisting = a.persisting,
    reopened = a.reopened,
    healed = a.healed
FROM (
    SELECT
        coalesce(sum(n.opened), 0) AS opened,
        coalesce(sum(n.persisting), 0) AS persisting,
        coalesce(sum(n.reopened), 0) AS reopened,
        coalesce(sum(n.healed), 0) AS healed
    FROM seen AS n
) AS a
WHERE r.run_id = $1
