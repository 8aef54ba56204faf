-- What stands open, by currency, in minor units; from what was added up as it changed.
SELECT
    t.currency,
    sum(t.discrepancies)::bigint AS count,
    coalesce(sum(t.discrepancies) FILTER (WHERE t.is_unexplained), 0)::bigint AS unexplained_count,
    sum(t.net) AS difference,
    sum(t.unexplained) AS unexplained
FROM discrepancy_tallies AS t
GROUP BY 1
HAVING sum(t.discrepancies) <> 0
ORDER BY 1
