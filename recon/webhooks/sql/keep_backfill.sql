-- $1 endpoint, $2 who, $3 for how long more. No row back: somebody else has taken over.
UPDATE backfills
SET held_until = clock_timestamp() + $3::interval
WHERE endpoint = $1 AND held_by = $2
RETURNING endpoint
