-- $1 how many. The largest that stand open, by whole units of their currencies.
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
    d.last_seen_at
FROM discrepancies AS d
INNER JOIN currencies AS c ON d.currency = c.code
WHERE d.status IN ('open', 'investigating', 'awaiting_approval')
ORDER BY abs(d.difference) / power(10::numeric, c.exponent) DESC, d.discrepancy_id
LIMIT $1
