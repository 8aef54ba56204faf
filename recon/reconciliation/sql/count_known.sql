-- $1 users and $2 currencies in parallel. How many of these wallets have a discrepancy that lives.
SELECT count(*)
FROM unnest($1::text[], $2::text[]) AS w (user_id, currency)
INNER JOIN discrepancies AS d ON w.user_id = d.user_id AND w.currency = d.currency
WHERE d.status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
