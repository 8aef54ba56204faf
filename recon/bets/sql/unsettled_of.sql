-- $1 user, $2 currency. Oldest first.
SELECT
    bet_id,
    ticket_id,
    state,
    currency,
    amount,
    round_id,
    created_at,
    updated_at,
    payout,
    state IN ('placing', 'cashing_out') AND due_at IS NOT NULL AS calls_in_flight
FROM bets
WHERE user_id = $1 AND currency = $2 AND settled_at IS NULL
ORDER BY bet_id
