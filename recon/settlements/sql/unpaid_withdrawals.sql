-- $1 endpoint, $2 until: withdrawals registered by then of which the PSP has told nothing.
SELECT
    reference,
    currency,
    amount
FROM payments
WHERE
    endpoint = $1
    AND direction = 'withdrawal'
    AND payment_id IS NULL
    AND state = 'registered'
    AND registered_at <= $2
