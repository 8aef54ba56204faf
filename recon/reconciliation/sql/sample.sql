-- $1 run, $2 first users of ranges, $3 how many. Wallets of these ranges that differed, as if drawn
-- by lot, and the same ones whoever draws.
SELECT
    s.user_id,
    s.currency
FROM suspects AS s
INNER JOIN run_ranges AS g ON s.run_id = g.run_id AND s.user_id BETWEEN g.first_user AND g.last_user
WHERE s.run_id = $1 AND g.first_user = any($2::text[]) AND s.state = 'differs'
ORDER BY hashtextextended(s.user_id || ' ' || s.currency, 0), s.user_id, s.currency
LIMIT $3
