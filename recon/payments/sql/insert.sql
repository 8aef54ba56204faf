-- $1 reference, $2 endpoint, $3 direction, $4 user, $5 currency, $6 minor units, $7 hold; $8 state,
-- $9 the PSP's payment id and $10 when it was reported, by what the PSP has said already.
-- No row back: the reference is taken.
INSERT INTO payments (
    reference, endpoint, direction, user_id, currency, amount, hold_id, state, payment_id,
    reported_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
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
