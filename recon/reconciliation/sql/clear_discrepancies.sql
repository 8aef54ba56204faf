-- $1 users, $2 currencies, $3 versions, in parallel: these wallets agree, where they still are at
-- that version. What was open about them is resolved where people had an adjustment booked for it,
-- and else has cleared by itself.
UPDATE discrepancies AS d
SET
    status = CASE
        WHEN EXISTS (
            SELECT
            FROM adjustments AS j
            WHERE
                j.user_id = d.user_id
                AND j.discrepancy_id = d.discrepancy_id
                AND j.state = 'booked'
                AND j.decided_at >= coalesce(d.reopened_at, '-infinity')
        ) THEN 'resolved'
        ELSE 'cleared'
    END,
    ignored_until = null,
    closed_at = clock_timestamp()
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS a (user_id, currency, version)
LEFT JOIN wallets AS w ON a.user_id = w.user_id AND a.currency = w.currency
WHERE
    a.version = coalesce(w.version, 0)
    AND d.user_id = a.user_id
    AND d.currency = a.currency
    AND d.status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
RETURNING
    d.user_id,
    d.discrepancy_id,
    d.currency,
    d.status
