-- $1 user, $2 currency, $3 settled at or after, $4 how many at most. Newest first.
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
    settled_at
FROM bets
WHERE user_id = $1 AND currency = $2 AND settled_at >= $3
ORDER BY settled_at DESC, bet_id DESC
LIMIT $4
