-- $1 the last wallet's user and $2 its currency, $3 the range's last user, $4 how many, $5 run.
SELECT
    user_id,
    currency
FROM run_wallets
WHERE run_id = $5 AND (user_id, currency) > ($1, $2) AND user_id <= $3
ORDER BY user_id, currency
LIMIT $4
