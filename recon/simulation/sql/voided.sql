-- The stakes that were given back from their holds here, and when.
SELECT
    p.user_id,
    p.hold_id,
    p.recorded_at,
    b.hold_key
FROM postings AS p
INNER JOIN bets AS b ON p.user_id = b.user_id AND p.hold_id = b.bet_id
WHERE p.kind = 'bet.rejected'
ORDER BY p.hold_id
