-- $1 name, $2 role, $3 password hash (null: signs in by link or provider only).
INSERT INTO staff (name, role, password_hash)
VALUES ($1, $2, $3)
