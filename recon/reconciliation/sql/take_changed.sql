-- $1 run, $2 since when (null: from the first). Wallets with postings since then, whose last look
-- was no agreement, whose bets or payments have no known outcome, or with an open discrepancy.
-- Payments that nothing has been heard of for so long are left to the runs over all wallets; the
-- last day is for withdrawals that are taken for paid after seven (snapshots.sql).
INSERT INTO run_wallets (run_id, user_id, currency)
SELECT
    $1,
    c.user_id,
    c.currency
FROM (
    SELECT
        user_id,
        currency
    FROM postings
    WHERE recorded_at >= coalesce($2::timestamptz, '-infinity')
    UNION
    SELECT
        user_id,
        currency
    FROM checks
    WHERE unsettled
    UNION
    SELECT
        user_id,
        currency
    FROM bets
    WHERE state IN ('placing', 'placed', 'cashing_out')
    UNION
    SELECT
        user_id,
        currency
    FROM payments
    WHERE
        state IN ('registered', 'pending', 'accepted')
        AND updated_at > statement_timestamp() - interval '8 days'
    UNION
    SELECT
        user_id,
        currency
    FROM discrepancies
    WHERE status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
) AS c
WHERE left(c.user_id, 1) <> '~'
