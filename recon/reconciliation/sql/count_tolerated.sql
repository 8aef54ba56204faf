-- $1 run; $2 currencies, $3 their tolerances, $4 more wallets that agreed only by it and $5 what
-- that let pass, in parallel.
INSERT INTO run_tolerances AS t (run_id, currency, tolerance, wallets, amount)
SELECT
    $1,
    n.currency,
    n.tolerance,
    n.wallets,
    n.amount
FROM
    unnest($2::text[], $3::numeric[], $4::bigint[], $5::numeric[])
        AS n (currency, tolerance, wallets, amount)
INNER JOIN currencies AS c ON n.currency = c.code
ORDER BY n.currency
ON CONFLICT (run_id, currency) DO UPDATE
    SET wallets = t.wallets + excluded.wallets, amount = t.amount + excluded.amount
    WHERE excluded.wallets > 0
