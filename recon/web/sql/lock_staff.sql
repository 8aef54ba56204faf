-- $1 name. What they may do and whether they may sign in at all; nobody changes it meanwhile.
SELECT
    role,
    disabled_at IS NOT NULL AS is_disabled
FROM staff
WHERE name = $1
FOR UPDATE
