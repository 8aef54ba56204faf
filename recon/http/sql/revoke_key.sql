-- $1 key id. No row: there is no such key.
UPDATE api_keys
SET revoked_at = coalesce(revoked_at, clock_timestamp())
WHERE key_id = $1
RETURNING key_id
