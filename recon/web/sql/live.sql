-- $1 now, by the minute. What people still have to deal with, by currency, cause and age; from what
-- was added up as it changed, so that it takes as long for a million as for a hundred.
SELECT
    t.currency,
    t.cause,
    CASE
        WHEN t.seen_at >= $1::timestamptz - interval '1 day' THEN 'day'
        WHEN t.seen_at >= $1::timestamptz - interval '3 days' THEN 'three_days'
        WHEN t.seen_at >= $1::timestamptz - interval '7 days' THEN 'week'
        ELSE 'older'
    END AS age,
    sum(t.discrepancies)::bigint AS rows,
    coalesce(sum(t.discrepancies) FILTER (WHERE t.is_unexplained), 0)::bigint AS unexplained_rows,
    sum(t.net) AS net,
    sum(t.gross) AS gross,
    sum(t.unexplained) AS unexplained
FROM discrepancy_tallies AS t
GROUP BY 1, 2, 3
HAVING sum(t.discrepancies) <> 0
ORDER BY 1, 2, 3
