-- $1 now. What people still have to deal with, by currency, cause and age.
SELECT
    d.currency,
    d.cause,
    CASE
        WHEN d.first_seen_at > $1::timestamptz - interval '1 day' THEN 'day'
        WHEN d.first_seen_at > $1::timestamptz - interval '3 days' THEN 'three_days'
        WHEN d.first_seen_at > $1::timestamptz - interval '7 days' THEN 'week'
        ELSE 'older'
    END AS age,
    count(*) AS rows,
    count(*) FILTER (WHERE d.unexplained <> 0) AS unexplained_rows,
    sum(d.difference) AS net,
    sum(abs(d.difference)) AS gross,
    sum(abs(d.unexplained)) AS unexplained
FROM discrepancies AS d
WHERE d.status IN ('open', 'investigating', 'awaiting_approval')
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
