-- $1 the job's key: it ended, its count starts anew.
DELETE FROM job_starts
WHERE job_key = $1
