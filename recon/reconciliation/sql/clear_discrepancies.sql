-- $1 users, $2 currencies, in parallel: these wallets agree; what was open about them is cleared.
UPDATE discrepancies AS d
SET status = 'cleared', closed_at = clock_timestamp()
FROM unnest($1::text [], $2::text []) AS a (user_id, currency)
WHERE
    d.user_id = a.user_id
    AND d.currency = a.currency
    AND d.status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
RETURNING
    d.user_id,
    d.discrepancy_id
