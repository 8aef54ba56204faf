-- $1 runs. What each of them saw in all, by currency.
SELECT
    run_id,
    currency,
    discrepancies,
    explained,
    unexplained,
    net
FROM run_totals
WHERE run_id = any($1::uuid[])
ORDER BY run_id, currency
