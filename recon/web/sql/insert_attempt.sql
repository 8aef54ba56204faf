-- $1 id, $2 place, $3 hash of the name.
INSERT INTO sign_in_attempts (attempt_id, place, name_hash)
VALUES ($1, $2, $3)
