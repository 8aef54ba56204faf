-- $1 place, $2 hash of the name: they knew the password after all.
DELETE FROM sign_in_attempts
WHERE place = $1 AND name_hash = $2
