-- $1 user, $2 bet, $3 the fence as it was seen, $4 now, $5 when the claim ends, $6 as in
-- any_due.sql. No row back: somebody else has claimed it, or it is settled.
UPDATE bets
SET fence = fence + 1, due_at = $5, resting = false
WHERE
    user_id = $1
    AND bet_id = $2
    AND fence = $3
    AND (due_at <= $4 OR (due_at > $6 AND resting))
RETURNING
    user_id,
    bet_id,
    caller_key,
    round_id,
    currency,
    amount,
    auto_cashout,
    state,
    hold_body,
    hold_key,
    confirm_key,
    release_key,
    cashout_key,
    game_hold_id,
    ticket_id,
    payout_transaction_id,
    payout,
    cashout_multiplier,
    reason,
    placed_at,
    settled_at,
    created_at,
    updated_at,
    due_at,
    fence,
    looks
