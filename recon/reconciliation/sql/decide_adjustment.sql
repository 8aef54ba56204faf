-- $1 user, $2 adjustment, $3 state, $4 who decides, $5 why. No row: it was decided before. When it
-- is decided a trigger says, by the clock of the database.
UPDATE adjustments
SET state = $3, decided_by = $4, decision_reason = $5
WHERE user_id = $1 AND adjustment_id = $2 AND state = 'proposed'
RETURNING adjustment_id
