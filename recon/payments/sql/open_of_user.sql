-- $1 user, $2 currency, $3 how many at most: payments whose outcome no PSP has told. Newest first.
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
WHERE user_id = $1 AND currency = $2 AND state IN ('registered', 'pending', 'accepted')
ORDER BY registered_at DESC, reference ASC
LIMIT $3
