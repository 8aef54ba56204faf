-- $1 message. What it is about, by currency, in minor units.
SELECT
    d.currency,
    count(*) AS count,
    sum(d.difference) AS difference,
    sum(abs(d.unexplained)) AS unexplained
FROM alert_subjects AS s
INNER JOIN discrepancies AS d ON d.discrepancy_id = s.subject::uuid
WHERE s.alert_id = $1
GROUP BY 1
ORDER BY 1
