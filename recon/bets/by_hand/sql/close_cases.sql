-- $1 bet, $2 kinds, $3 now, $4 who, $5 why. What people were shown of a bet closes with its ruling.
UPDATE cases
SET state = 'closed', closed_at = $3, closed_by = $4, closed_reason = $5
WHERE reference = $1 AND kind = ANY($2::text[]) AND state = 'open'
