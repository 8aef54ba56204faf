-- $1 run. A first look says that it may be one fault.
UPDATE runs
SET examined_at = clock_timestamp()
WHERE run_id = $1
