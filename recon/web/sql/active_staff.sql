-- The names of those who may sign in, by name.
SELECT name
FROM staff
WHERE disabled_at IS NULL
ORDER BY name
