-- $1 name, $2 hash of the token that stays. Ends every other session of one person; one row each.
UPDATE sessions
SET revoked_at = clock_timestamp()
WHERE name = $1 AND session_hash <> $2 AND revoked_at IS NULL
RETURNING name
