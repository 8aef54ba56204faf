-- $1 bet, $2 now, $3 why. The case of a bet without an outcome closes in the commit of its outcome.
UPDATE cases
SET state = 'closed', closed_at = $2, closed_by = 'game', closed_reason = $3
WHERE reference = $1 AND kind = 'unresolved_bet' AND state = 'open'
