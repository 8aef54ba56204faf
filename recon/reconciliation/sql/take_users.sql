-- $1 run, $2 users: every wallet of theirs, and every currency in which they have payments,
-- or a discrepancy that is open.
INSERT INTO run_wallets (run_id, user_id, currency)
SELECT
    $1,
    c.user_id,
    c.currency
FROM (
    SELECT
        user_id,
        currency
    FROM wallets
    WHERE user_id = any($2::text[]) AND version > 0
    UNION
    SELECT
        user_id,
        currency
    FROM payments
    WHERE user_id = any($2::text[])
    UNION
    SELECT
        user_id,
        currency
    FROM discrepancies
    WHERE
        user_id = any($2::text[])
        AND status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
) AS c
WHERE left(c.user_id, 1) <> '~'
