-- $1 name, $2 role. Without a password; no row: they are on the staff already.
INSERT INTO staff (name, role)
VALUES ($1, $2)
ON CONFLICT (name) DO NOTHING
RETURNING name
