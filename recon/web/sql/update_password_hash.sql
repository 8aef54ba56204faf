-- $1 name, $2 hash: the same password by today's parameters.
UPDATE staff
SET password_hash = $2
WHERE name = $1
