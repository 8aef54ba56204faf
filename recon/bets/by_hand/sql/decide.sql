-- $1 user, $2 ruling, $3 state, $4 who decides, $5 by which intent, $6 why. No row back: it was
-- decided before.
UPDATE bet_rulings
SET
    state = $3,
    decided_by = $4,
    decided_step = $5,
    decision_reason = $6
WHERE user_id = $1 AND ruling_id = $2 AND state = 'proposed'
RETURNING ruling_id
