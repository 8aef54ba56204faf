-- $1 endpoint, $2 who, $3 and $4 the two ends of what was listed in full. The cursor never goes
-- back, and never over a gap: what lies between it and $3 has not been listed.
UPDATE backfills
SET listed_until = greatest(listed_until, $4)
WHERE endpoint = $1 AND held_by = $2 AND coalesce(listed_until, $3) >= $3
