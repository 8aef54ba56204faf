-- $1 user, $2 bet, $3 intent. The ruling that this intent proposed; no row: it is a new one.
SELECT ruling_id
FROM bet_rulings
WHERE user_id = $1 AND bet_id = $2 AND proposed_step = $3
