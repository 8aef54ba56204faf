-- $1 user, $2 bet, $3 state, $4 ticket, $5 payout's transaction, $6 payout, $7 reason, $8 when it
-- was placed, $9 now. Under our lock; whoever still asks about it writes nothing any more.
UPDATE bets
SET
    state = $3,
    ticket_id = $4,
    payout_transaction_id = $5,
    payout = $6,
    reason = $7,
    placed_at = $8,
    settled_at = $9,
    updated_at = $9,
    due_at = NULL,
    resting = true,
    looks = 0,
    fence = fence + 1
WHERE user_id = $1 AND bet_id = $2
