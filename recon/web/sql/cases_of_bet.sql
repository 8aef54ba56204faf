-- $1 bet. What people were shown of it, newest first.
SELECT
    case_id,
    kind,
    state,
    reason,
    opened_at,
    closed_at,
    closed_by,
    closed_reason
FROM cases
WHERE
    reference = $1
    AND kind IN ('unresolved_bet', 'bet_mismatch', 'payout_mismatch', 'payout_failed', 'late_bet')
ORDER BY case_id DESC
