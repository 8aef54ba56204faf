-- $1 id: a refused try does not lengthen the wait.
DELETE FROM sign_in_attempts
WHERE attempt_id = $1
