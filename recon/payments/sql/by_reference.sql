-- $1 reference.
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
WHERE reference = $1
