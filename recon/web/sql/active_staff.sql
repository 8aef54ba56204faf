-- Those who may sign in, and their roles, by name.
SELECT
    name,
    role
FROM staff
WHERE disabled_at IS NULL
ORDER BY name
