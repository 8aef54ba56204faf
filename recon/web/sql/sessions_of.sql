-- $1 name, $2 idle timeout, $3 absolute lifetime, $4 hash of the token that asks. Their sessions
-- that are still good, the newest first.
SELECT
    created_at,
    last_seen_at,
    session_hash = $4 AS is_this
FROM sessions
WHERE
    name = $1
    AND revoked_at IS NULL
    AND last_seen_at > clock_timestamp() - $2::interval
    AND created_at > clock_timestamp() - $3::interval
ORDER BY created_at DESC, session_hash ASC
