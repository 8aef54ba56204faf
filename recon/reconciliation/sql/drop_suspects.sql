-- $1 a run that has ended: nobody looks at its suspects again.
DELETE FROM suspects
WHERE run_id = $1
