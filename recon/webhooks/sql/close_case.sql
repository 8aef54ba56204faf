-- $1 case, $2 who, $3 why. No row back: there is no such case, or it is not open.
UPDATE cases
SET state = 'closed', closed_at = clock_timestamp(), closed_by = $2, closed_reason = $3
WHERE case_id = $1 AND state = 'open'
RETURNING
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
