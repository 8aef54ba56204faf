-- $1 id. Whether there is, or was, such a key.
SELECT EXISTS(SELECT FROM api_keys WHERE key_id = $1)
