-- $1 run, $2 since when (null: from the first). Wallets with postings since then, whose last look
-- was no agreement, whose bets or payments have no known outcome, or with an open discrepancy.
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
    WHERE settled_at IS NULL
    UNION
    SELECT
        user_id,
        currency
    FROM payments
    WHERE
        state IN ('registered', 'pending', 'accepted')
        AND registered_at > clock_timestamp() - interval '7 days'
    UNION
    SELECT
        user_id,
        currency
    FROM discrepancies
    WHERE status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
) AS c
WHERE left(c.user_id, 1) <> '~'
