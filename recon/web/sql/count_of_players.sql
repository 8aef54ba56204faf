-- $1..$12 as in discrepancy_totals.sql, $13 where to stop counting. How many match by the start of
-- their player's id alone. Each is found beside the one before: what else a search may mean is
-- known by whole ids, and the planner takes what begins alike to lie apart, as players do not.
SELECT count(*) AS rows
FROM (
    SELECT 1
    FROM
        matching_discrepancies(
            $1, $2, $3, $4, $5, $6, $7, $8, $9, NULL, $11, $12, NULL
        ) AS d
    WHERE starts_with(d.user_id, $10)
    ORDER BY d.user_id USING ~<~ -- noqa: PRS
    LIMIT $13
) AS m
