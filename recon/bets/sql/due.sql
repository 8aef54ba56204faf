-- $1 now, $2 how many at most, $3 the round that still runs (null: none does), $4 its multiplier.
-- $5 whoever was created by then is looked at all the same: no round takes that long; $6 as in
-- any_due.sql.
-- Bets of a running round that have not reached their target are settled by nobody yet.
SELECT
    user_id,
    bet_id,
    fence
FROM bets
WHERE
    (due_at <= $1 OR (due_at > $6 AND resting))
    AND NOT (
        state = 'placed'
        AND created_at > $5
        AND round_id = coalesce($3::text, '')
        AND (auto_cashout IS NULL OR auto_cashout > $4::numeric)
    )
ORDER BY due_at
LIMIT $2
