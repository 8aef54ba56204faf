-- $1 the caller's name, $2 scopes, sorted. Its keys with just these that are live, oldest first.
SELECT key_id
FROM api_keys
WHERE
    name = $1
    AND scopes = $2
    AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > clock_timestamp())
ORDER BY created_at, key_id
