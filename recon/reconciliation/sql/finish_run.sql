-- $1 run. Ends it once no range and no suspect is left; incomplete if a wallet was not compared.
UPDATE runs AS r
SET
    state = CASE WHEN r.not_compared > 0 THEN 'incomplete' ELSE 'finished' END,
    reason = CASE WHEN r.not_compared > 0 THEN 'the game did not answer for some wallets' END,
    total = r.compared + r.not_compared,
    finished_at = clock_timestamp()
WHERE
    r.run_id = $1
    AND r.state = 'running'
    AND NOT EXISTS (SELECT FROM run_ranges AS g WHERE g.run_id = $1 AND g.finished_at IS NULL)
    AND NOT EXISTS (SELECT FROM suspects AS s WHERE s.run_id = $1)
RETURNING r.state
