-- $1 id, $2 how it ended, $3 what does not hold, $4 why it could not be made. One that has ended
-- stays as it is.
UPDATE verifications
SET state = $2, faults = $3, reason = $4, finished_at = clock_timestamp()
WHERE verification_id = $1 AND state = 'running'
