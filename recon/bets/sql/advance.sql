-- $1 user, $2 bet, $3 the fence of the claim, then the columns as they will be.
-- No row back: the claim has ended, and another may have concluded otherwise.
UPDATE bets
SET
    state = $4,
    cashout_key = $5,
    game_hold_id = $6,
    ticket_id = $7,
    payout_transaction_id = $8,
    payout = $9,
    cashout_multiplier = $10,
    reason = $11,
    placed_at = $12,
    settled_at = $13,
    updated_at = $14,
    due_at = $15,
    resting = true,
    looks = $16
WHERE user_id = $1 AND bet_id = $2 AND fence = $3
RETURNING bet_id
