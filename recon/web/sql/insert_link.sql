-- $1 hash of the token, $2 name, $3 lifetime. No row: nobody of that name may sign in.
INSERT INTO sign_in_links (link_hash, name, expires_at)
SELECT
    $1,
    s.name,
    clock_timestamp() + $3::interval
FROM staff AS s
WHERE s.name = $2 AND s.disabled_at IS NULL
RETURNING name
