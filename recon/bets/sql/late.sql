-- $1 now, $2 created by then, $3 how many at most. Bets that are due and have no outcome for long.
SELECT
    user_id,
    bet_id,
    fence
FROM bets
WHERE due_at <= $1 AND created_at <= $2
ORDER BY due_at
LIMIT $3
