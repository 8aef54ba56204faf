-- $1 case.
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
WHERE case_id = $1
