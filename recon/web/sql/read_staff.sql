-- $1 name. Who may sign in.
SELECT
    name,
    role,
    password_hash
FROM staff
WHERE name = $1 AND disabled_at IS NULL
