-- $1 run, $2 the state in which it ends, $3 why. What was not decided by then was not compared. Its
-- row is locked from here on, so that nothing more is counted; no row: it had ended before.
UPDATE runs
SET
    state = $2,
    reason = $3,
    cut_short = true,
    paused_at = null,
    not_compared = greatest(not_compared, total - compared),
    finished_at = clock_timestamp()
WHERE run_id = $1 AND state = 'running'
RETURNING run_id
