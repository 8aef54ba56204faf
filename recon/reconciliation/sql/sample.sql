-- $1 run, $2 first users of ranges, $3 how many. Wallets of these ranges that differed, have no
-- discrepancy and were not looked into yet, as if drawn by lot, and the same ones whoever draws.
SELECT
    s.user_id,
    s.currency
FROM suspects AS s
INNER JOIN run_ranges AS g ON s.run_id = g.run_id AND s.user_id BETWEEN g.first_user AND g.last_user
WHERE
    s.run_id = $1
    AND g.first_user = any($2::text[])
    AND s.state = 'differs'
    AND s.first_seen_at > coalesce(g.excused_at, '-infinity')
    AND NOT EXISTS (
        SELECT
        FROM discrepancies AS d
        WHERE
            d.user_id = s.user_id
            AND d.currency = s.currency
            AND d.status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
    )
ORDER BY hashtextextended(s.user_id || ' ' || s.currency, 0), s.user_id, s.currency
LIMIT $3
