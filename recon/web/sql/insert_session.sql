-- $1 hash of the token, $2 name, $3 CSRF token. Nothing where the person is disabled by now.
INSERT INTO sessions (session_hash, name, csrf_token)
SELECT
    $1,
    s.name,
    $3
FROM staff AS s
WHERE s.name = $2 AND s.disabled_at IS NULL
FOR SHARE
RETURNING name
