-- What stands open, by currency, in minor units.
SELECT
    d.currency,
    count(*) AS count,
    count(*) FILTER (WHERE d.unexplained <> 0) AS unexplained_count,
    sum(d.difference) AS difference,
    sum(abs(d.unexplained)) AS unexplained
FROM discrepancies AS d
WHERE d.status IN ('open', 'investigating', 'awaiting_approval')
GROUP BY 1
ORDER BY 1
