-- $1 hash of the token, $2 name, $3 hash of what the browser keeps of it. Nothing where the person
-- is disabled by now.
INSERT INTO sessions (session_hash, name, browser_hash)
SELECT
    $1,
    s.name,
    $3
FROM staff AS s
WHERE s.name = $2 AND s.disabled_at IS NULL
FOR SHARE
RETURNING name
