-- $1 window. Tries that count no more.
DELETE FROM sign_in_attempts
WHERE at < clock_timestamp() - $1::interval
