-- $1 state (null: all), $2 only those before this case (null: all), $3 how many,
-- $4 kind (null: all). Newest first.
SELECT
    case_id,
    kind,
    endpoint,
    delivery_id,
    reference,
    user_id,
    currency,
    amount,
    reason,
    state,
    opened_at,
    closed_at,
    closed_by,
    closed_reason
FROM cases
WHERE
    ($1::text IS NULL OR state = $1)
    AND ($4::text IS NULL OR kind = $4)
    AND ($2::uuid IS NULL OR case_id < $2)
ORDER BY case_id DESC
LIMIT $3
