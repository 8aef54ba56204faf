-- $1 key id, $2 name, $3 SHA-256 of the key, $4 scopes, $5 when it expires (null: never).
INSERT INTO api_keys (key_id, name, key_hash, scopes, expires_at)
VALUES ($1, $2, $3, $4, $5)
