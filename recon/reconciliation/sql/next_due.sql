-- $1 run. Seconds until its next suspect is due; null when it has none.
SELECT extract(EPOCH FROM min(due_at) - clock_timestamp())::double precision AS seconds
FROM suspects
WHERE run_id = $1
