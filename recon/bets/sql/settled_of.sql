-- $1 user, $2 currency, $3 settled at or after, $4 how many at most. Newest first. What people have
-- ruled comes before all, for a month: the game may say otherwise long after.
SELECT
    bet_id,
    ticket_id,
    state,
    currency,
    amount,
    round_id,
    payout,
    payout_transaction_id,
    reason,
    created_at,
    placed_at,
    settled_at,
    hold_key
FROM bets
WHERE
    user_id = $1
    AND currency = $2
    AND settled_at >= $3::timestamptz - interval '30 days'
    AND (settled_at >= $3 OR reason = 'settled_by_hand')
ORDER BY reason IS NOT DISTINCT FROM 'settled_by_hand' DESC, settled_at DESC, bet_id DESC
LIMIT $4
