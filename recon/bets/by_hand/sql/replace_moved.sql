-- $1 user, $2 bet, $3 the bet as it is. What was proposed of it when it stood otherwise, closed.
UPDATE bet_rulings
SET state = 'stale', decision_reason = 'the bet has gone on'
WHERE user_id = $1 AND bet_id = $2 AND state = 'proposed' AND standing <> $3
RETURNING ruling_id
