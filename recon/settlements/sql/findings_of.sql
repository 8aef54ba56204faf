-- $1 file, $2 state (null: any), $3 kind (null: any), $4 after this finding (null: the first), $5
-- how many. In the order of their lines.
-- Turned it is the other way round, and before is after.
SELECT
    finding_id,
    user_id,
    endpoint,
    file_id,
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
    detail,
    state,
    found_at,
    resolved_at,
    resolution,
    case_id
FROM settlement_findings
WHERE
    file_id = $1
    AND ($2::text IS NULL OR state = $2)
    AND ($3::text IS NULL OR kind = $3)
    AND ($4::uuid IS NULL OR finding_id > $4) -- turns
ORDER BY finding_id ASC -- turns
LIMIT $5
