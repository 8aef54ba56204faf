-- $1..$7 and $9..$14 as in discrepancies.sql, $8 where to stop counting. How many match.
SELECT count(*) AS rows
FROM (
    SELECT d.discrepancy_id
    FROM
        matching_discrepancies(
            $1, $2, $5, $3, $4, $9, $10, $11, $12, $13, $6, $14, $7
        ) AS d
    ORDER BY d.discrepancy_id DESC
    LIMIT $8
) AS m
