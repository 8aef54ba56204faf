-- $1 user, $2 id, $3 discrepancy, $4 currency, $5 amount, $6 reason, $7 the wallet's version,
-- $8 who proposes, $9 the difference that it is to put right, $10 and $11 what ledger and game had
-- as available when they were compared. No row: one is proposed already.
INSERT INTO adjustments (
    user_id, adjustment_id, discrepancy_id, currency, amount, reason, state, ledger_version,
    available_difference, ledger_available, game_available, proposed_by
)
VALUES ($1, $2, $3, $4, $5, $6, 'proposed', $7, $9, $10, $11, $8)
ON CONFLICT (user_id, discrepancy_id) WHERE state = 'proposed' DO NOTHING
RETURNING adjustment_id
