-- $1 state (null: all), $2 only those before this case (null: all), $3 how many. Newest first.
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
    closed_at
FROM cases
WHERE
    ($1::text IS NULL OR state = $1)
    AND ($2::uuid IS NULL OR case_id < $2)
ORDER BY case_id DESC
LIMIT $3
