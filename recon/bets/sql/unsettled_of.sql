-- $1 user, $2 currency, $3 nothing that was sent before this instant can still take effect.
-- Newest first, five hundred at most.
SELECT
    bet_id,
    ticket_id,
    hold_key,
    state,
    currency,
    amount,
    round_id,
    created_at,
    updated_at,
    payout,
    state IN ('placing', 'cashing_out') AND due_at IS NOT NULL AND updated_at > $3
        AS calls_in_flight
FROM bets
WHERE user_id = $1 AND currency = $2 AND state IN ('placing', 'placed', 'cashing_out')
ORDER BY bet_id DESC
LIMIT 500
