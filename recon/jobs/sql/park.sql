-- $1 the job's key: started too often without ever ending.
UPDATE job_starts
SET parked_at = clock_timestamp()
WHERE job_key = $1
