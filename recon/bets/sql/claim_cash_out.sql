-- $1 user, $2 bet, $3 when the claim ends, $4 now. The intent of a cash-out; it takes the bet from
-- whoever was only asking about it. No row back: the bet is not in play.
UPDATE bets
SET
    state = 'cashing_out',
    fence = fence + 1,
    looks = 0,
    due_at = $3,
    resting = false,
    updated_at = $4
WHERE user_id = $1 AND bet_id = $2 AND state = 'placed'
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
