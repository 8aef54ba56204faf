-- $1 run. Ends it once it is cut and no range and no suspect is left; incomplete if a wallet was
-- not compared, be it that the run never reached it. Wallets opened since it began may be more than
-- its total.
UPDATE runs AS r
SET
    state = CASE
        WHEN greatest(r.not_compared, r.total - r.compared) > 0 THEN 'incomplete'
        ELSE 'finished'
    END,
    reason = CASE
        WHEN r.total - r.compared > r.not_compared THEN 'some wallets were not reached'
        WHEN r.not_compared > 0 THEN 'the game did not answer for some wallets'
    END,
    cut_short = r.total - r.compared > r.not_compared,
    not_compared = greatest(r.not_compared, r.total - r.compared),
    total = r.compared + greatest(r.not_compared, r.total - r.compared),
    finished_at = clock_timestamp()
WHERE
    r.run_id = $1
    AND r.state = 'running'
    AND r.cut_at IS NOT NULL
    AND r.paused_at IS NULL
    AND NOT EXISTS (SELECT FROM run_ranges AS g WHERE g.run_id = $1 AND g.finished_at IS NULL)
    AND NOT EXISTS (SELECT FROM suspects AS s WHERE s.run_id = $1)
RETURNING r.state
