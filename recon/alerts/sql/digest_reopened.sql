-- $1 since, $2 until. What came back in between, after it was ignored or had closed, by currency.
SELECT
    d.currency,
    count(DISTINCT d.discrepancy_id) AS count
FROM discrepancy_events AS e
INNER JOIN discrepancies AS d ON e.user_id = d.user_id AND e.discrepancy_id = d.discrepancy_id
WHERE e.action = 'reopened' AND e.at >= $1 AND e.at < $2
GROUP BY 1
ORDER BY 1
