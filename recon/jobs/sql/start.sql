-- $1 the job's key. How often it was started, this time included.
INSERT INTO job_starts AS s (job_key, starts, last_started_at)
VALUES ($1, 1, clock_timestamp())
ON CONFLICT (job_key) DO UPDATE
    SET starts = s.starts + 1, last_started_at = clock_timestamp()
RETURNING starts
