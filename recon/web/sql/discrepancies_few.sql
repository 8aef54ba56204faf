-- $1..$12 as in discrepancies_along.sql, $13 sort, $14 key and $15 id of the last row (null: from
-- the start), $16 how many, $17 whether the largest come first. For a filter that leaves few: what
-- it leaves is found by the filter's own index and sorted, where walking along the order could take
-- long to meet the first of them.
SELECT
    d.discrepancy_id,
    d.user_id,
    d.currency,
    d.status,
    d.severity,
    d.cause,
    d.ledger_available,
    d.game_available,
    d.available_difference,
    d.difference,
    d.unexplained,
    d.assignee,
    d.ignored_until,
    d.first_seen_at,
    d.last_seen_at,
    k.key
FROM (
    SELECT *
    FROM
        matching_discrepancies(
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL
        )
    -- Holds the order and its limit off the plan of the filter.
    OFFSET 0 -- noqa: AM09
) AS d
CROSS JOIN
    LATERAL (
        SELECT discrepancy_key($13, d.difference, d.unexplained, d.exponent, d.severity) AS key
    ) AS k
WHERE
    $15::uuid IS NULL
    OR CASE
        WHEN $17::boolean THEN (k.key, d.discrepancy_id) < ($14::numeric, $15)
        ELSE (k.key, d.discrepancy_id) > ($14::numeric, $15)
    END
ORDER BY
    CASE WHEN $17 THEN -k.key ELSE k.key END,
    CASE WHEN NOT $17 THEN d.discrepancy_id END,
    d.discrepancy_id DESC
LIMIT $16
