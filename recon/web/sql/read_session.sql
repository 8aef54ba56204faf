-- $1 hash of the token, $2 idle timeout, $3 absolute lifetime. No row: nobody is signed in.
SELECT
    v.session_hash,
    v.name,
    s.role,
    v.csrf_token,
    v.last_seen_at < clock_timestamp() - interval '1 minute' AS to_touch
FROM sessions AS v
INNER JOIN staff AS s ON v.name = s.name
WHERE
    v.session_hash = $1
    AND v.revoked_at IS NULL
    AND s.disabled_at IS NULL
    AND v.last_seen_at > clock_timestamp() - $2::interval
    AND v.created_at > clock_timestamp() - $3::interval
