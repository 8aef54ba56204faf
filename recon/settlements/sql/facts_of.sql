-- $1 player, $2 currency, $3 since, $4 kinds: what files say against this wallet and nobody has
-- explained, newest first, five hundred at most.
SELECT
    finding_id,
    endpoint,
    kind,
    about,
    payment_id,
    effect_id,
    reference,
    line_no,
    settled_currency,
    settled_amount,
    booked_currency,
    booked_amount,
    settled_at,
    found_at,
    detail
FROM settlement_findings
WHERE
    user_id = $1
    AND state = 'open'
    AND kind = any($4::text[])
    AND (settled_currency = $2 OR booked_currency = $2)
    AND coalesce(settled_at, found_at) >= $3
ORDER BY finding_id DESC
LIMIT 500
