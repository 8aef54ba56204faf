-- $1 the lowest id since, $2 the lowest after. What was opened in between, whatever became of it,
-- by currency.
SELECT
    d.currency,
    count(*) AS count,
    sum(d.difference) AS difference,
    sum(abs(d.unexplained)) AS unexplained
FROM discrepancies AS d
WHERE d.discrepancy_id >= $1 AND d.discrepancy_id < $2
GROUP BY 1
ORDER BY 1
