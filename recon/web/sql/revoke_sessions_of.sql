-- $1 name. Ends every session of one person.
UPDATE sessions
SET revoked_at = clock_timestamp()
WHERE name = $1 AND revoked_at IS NULL
RETURNING name
