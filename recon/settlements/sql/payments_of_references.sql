-- $1 endpoint, $2 references: the PSP's id of the payment that was reported under each.
SELECT
    p.reference,
    p.payment_id
FROM payments AS p
WHERE p.reference = any($2::text[]) AND p.endpoint = $1 AND p.payment_id IS NOT NULL
UNION
SELECT
    d.reference,
    d.payment_id
FROM deliveries AS d
WHERE d.reference = any($2::text[]) AND d.endpoint = $1 AND d.payment_id IS NOT NULL
