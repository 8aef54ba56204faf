-- $1 runs. The tolerances that were in force, and what they let pass, by currency.
SELECT
    run_id,
    currency,
    tolerance,
    wallets,
    amount
FROM run_tolerances
WHERE run_id = any($1::uuid[])
ORDER BY run_id, currency
