-- $1 user, $2 bet, $3 the caller's name for the intent, $4 round, $5 currency, $6 stake,
-- $7 auto cash-out, $8 the hold's bytes, $9..$12 the keys of hold, confirm, release and cash-out,
-- $13 now, $14 when the claim of whoever places it ends.
-- No row back: the intent is known already.
INSERT INTO bets (
    user_id, bet_id, caller_key, round_id, currency, amount, auto_cashout, hold_body, hold_key,
    confirm_key, release_key, cashout_key, created_at, updated_at, due_at, state
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13, $14, 'placing')
ON CONFLICT (user_id, caller_key) WHERE reason IS DISTINCT FROM 'game_unavailable' DO NOTHING
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
