-- $1 reference, $2 endpoint, $3 direction, $4 user, $5 currency, $6 minor units, $7 hold.
-- No row back: the reference is taken.
INSERT INTO payments (
    reference, endpoint, direction, user_id, currency, amount, hold_id, state
)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'registered')
ON CONFLICT (reference) DO NOTHING
RETURNING
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
