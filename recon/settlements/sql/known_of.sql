-- $1 endpoint, $2 ids of payments, $3 references: what is registered under one of them, and what a
-- delivery that is not booked says of one.
SELECT
    p.payment_id,
    p.reference,
    p.user_id,
    p.direction,
    p.state,
    p.currency,
    p.amount,
    'payment ' || p.reference || ' is registered here, and '
    || CASE p.state WHEN 'registered' THEN 'nobody has reported it yet' ELSE p.state END AS detail,
    p.direction AS kind
FROM payments AS p
WHERE p.endpoint = $1 AND (p.payment_id = any($2::text[]) OR p.reference = any($3::text[]))
UNION ALL
SELECT
    d.payment_id,
    d.reference,
    d.user_id,
    'delivery' AS direction,
    d.state,
    d.currency,
    d.amount,
    'delivery ' || d.event_id || ' of it is ' || d.state
    || coalesce(': ' || d.reason, '') AS detail,
    d.kind
FROM deliveries AS d
WHERE
    d.endpoint = $1
    AND d.payment_id = any($2::text[])
    AND d.state IN ('waiting', 'suspended', 'quarantined', 'ignored')
