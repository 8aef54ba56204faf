-- $1 run; more wallets that $2 agreed, $3 are discrepant, $4 in flight, $5 not compared.
-- No row: the run has ended.
UPDATE runs
SET
    compared = compared + $2 + $3 + $4,
    agreed = agreed + $2,
    discrepant = discrepant + $3,
    in_flight = in_flight + $4,
    not_compared = not_compared + $5
WHERE run_id = $1 AND state = 'running'
RETURNING run_id
