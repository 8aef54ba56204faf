-- $1 bet, $2 now. The bet, locked; what people weigh of it; and whether somebody's claim is under
-- way by which more than a question may reach the game (as in wake.sql).
SELECT
    b.user_id,
    b.bet_id,
    b.caller_key,
    b.round_id,
    b.currency,
    b.amount,
    b.auto_cashout,
    b.state,
    b.hold_body,
    b.hold_key,
    b.confirm_key,
    b.release_key,
    b.cashout_key,
    b.game_hold_id,
    b.ticket_id,
    b.payout_transaction_id,
    b.payout,
    b.cashout_multiplier,
    b.reason,
    b.placed_at,
    b.settled_at,
    b.created_at,
    b.updated_at,
    b.due_at,
    b.fence,
    b.looks,
    bet_standing(b) AS standing,
    coalesce(
        b.due_at > $2
        AND NOT b.resting
        AND (
            b.state = 'placing'
            OR (b.state = 'cashing_out' AND b.payout_transaction_id IS NULL)
        ),
        false
    ) AS sending
FROM bets AS b
WHERE b.bet_id = $1
FOR NO KEY UPDATE
