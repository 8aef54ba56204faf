-- $1 user, $2 currency, $3 how many at most. Newest first.
SELECT
    reference,
    endpoint,
    direction,
    user_id,
    currency,
    amount,
    state,
    payment_id,
    hold_id,
    registered_at,
    reported_at,
    updated_at
FROM payments
WHERE user_id = $1 AND currency = $2
ORDER BY registered_at DESC, reference ASC
LIMIT $3
