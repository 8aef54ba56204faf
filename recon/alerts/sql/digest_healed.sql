-- $1 since, $2 until. What was closed in between, by itself or by people, by currency.
SELECT
    d.currency,
    count(*) AS count,
    count(*) FILTER (WHERE d.status = 'cleared') AS cleared,
    sum(d.difference) AS difference
FROM discrepancies AS d
WHERE d.status IN ('cleared', 'resolved') AND d.closed_at >= $1 AND d.closed_at < $2
GROUP BY 1
ORDER BY 1
