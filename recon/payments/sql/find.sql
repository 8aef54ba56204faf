-- $1 endpoints, $2 references, $3 the PSP's payment ids, in parallel; $4 whether they are to be
-- locked, in key order, so that two events about one payment are decided one after the other; see
-- payments_find in 0002_payments.up.sql.
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
FROM payments_find($1, $2, $3, $4)
