-- $1 user, $2 ruling, $3 bet, $4 currency, $5 outcome, $6 payout, $7 its transaction, $8 ticket,
-- $9 reason, $10 evidence, $11 the bet as it was weighed, $12 who proposes, $13 by which intent.
-- No row back: one is proposed already.
INSERT INTO bet_rulings (
    user_id, ruling_id, bet_id, currency, outcome, payout, payout_transaction_id, ticket_id, reason,
    evidence, standing, state, proposed_by, proposed_step
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'proposed', $12, $13)
ON CONFLICT (user_id, bet_id) WHERE state = 'proposed' DO NOTHING
RETURNING ruling_id
