-- $1 the last wallet's user and $2 its currency, $3 the range's last user, $4 how many.
SELECT
    user_id,
    currency
FROM (
    (
        SELECT
            user_id,
            currency
        FROM wallets
        WHERE
            (user_id, currency) > ($1, $2)
            AND user_id <= $3
            AND version > 0
            AND left(user_id, 1) <> '~'
        ORDER BY user_id, currency
        LIMIT $4
    )
    UNION
    (
        SELECT DISTINCT
            user_id,
            currency
        FROM payments
        WHERE (user_id, currency) > ($1, $2) AND user_id <= $3
        ORDER BY user_id, currency
        LIMIT $4
    )
) AS w
ORDER BY user_id, currency
LIMIT $4
