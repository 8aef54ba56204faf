-- $1 hash of the token. No row: it was no session, or had ended.
UPDATE sessions
SET revoked_at = clock_timestamp()
WHERE session_hash = $1 AND revoked_at IS NULL
RETURNING name
