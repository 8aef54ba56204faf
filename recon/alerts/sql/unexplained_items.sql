-- $1 message, $2 how many. The largest of what it is about, by whole units of their currencies.
SELECT
    d.discrepancy_id,
    d.user_id,
    d.currency,
    d.difference,
    d.unexplained,
    d.cause,
    d.severity,
    d.status,
    d.first_seen_at,
    d.last_seen_at,
    s.reason
FROM alert_subjects AS s
INNER JOIN discrepancies AS d ON d.discrepancy_id = s.subject::uuid
INNER JOIN currencies AS c ON d.currency = c.code
WHERE s.alert_id = $1
ORDER BY abs(d.unexplained) / power(10::numeric, c.exponent) DESC, d.discrepancy_id
LIMIT $2
