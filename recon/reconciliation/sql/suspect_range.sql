-- $1 run, $2 the range's first user. So much of it differs that it may be one fault: the run waits
-- until that is looked into.
WITH suspected AS (
    UPDATE run_ranges
    SET suspected = true
    WHERE run_id = $1 AND first_user = $2
)

UPDATE runs
SET paused_at = clock_timestamp()
WHERE run_id = $1 AND state = 'running' AND paused_at IS NULL
