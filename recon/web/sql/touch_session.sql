-- $1 hash of the token: its owner was seen now.
UPDATE sessions
SET last_seen_at = clock_timestamp()
WHERE session_hash = $1 AND revoked_at IS NULL
