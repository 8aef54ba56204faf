-- $1 SHA-256 of keys. No row: unknown, expired or revoked. Last use is kept to the minute, so that
-- a busy key is not written at every call.
WITH used AS (
    UPDATE api_keys
    SET last_used_at = clock_timestamp()
    WHERE
        key_hash = any($1)
        AND revoked_at IS NULL
        AND (expires_at IS NULL OR expires_at > clock_timestamp())
        AND (last_used_at IS NULL OR last_used_at < clock_timestamp() - interval '1 minute')
)

SELECT
    key_hash,
    key_id,
    name,
    scopes
FROM api_keys
WHERE
    key_hash = any($1)
    AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > clock_timestamp())
