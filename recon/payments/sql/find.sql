-- $1 endpoints, $2 references, $3 the PSP's payment ids, in parallel. Locked in key order, so that
-- two events about one payment are decided one after the other.
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
WHERE
    reference IN (
        SELECT p.reference
        FROM unnest($1::text[], $2::text[]) AS a (endpoint, reference)
        INNER JOIN payments AS p ON a.reference = p.reference AND a.endpoint = p.endpoint
        UNION
        SELECT p.reference
        FROM unnest($1::text[], $3::text[]) AS a (endpoint, payment_id)
        INNER JOIN payments AS p ON a.payment_id = p.payment_id AND a.endpoint = p.endpoint
    )
ORDER BY reference
FOR NO KEY UPDATE
