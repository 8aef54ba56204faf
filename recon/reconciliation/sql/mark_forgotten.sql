-- $1 what no run from then on has a lower id than, $2 ended before this. What these runs saw is no
-- longer known one by one from now on.
UPDATE runs
SET forgotten_at = clock_timestamp()
WHERE run_id < $1 AND state <> 'running' AND finished_at < $2 AND forgotten_at IS NULL
