-- $1 reference. The open case that says its payment is overdue; a withdrawal has one at a time.
SELECT
    case_id,
    kind,
    opened_at
FROM cases
WHERE
    reference = $1
    AND state = 'open'
    AND kind IN ('payment_overdue', 'withdrawal_overdue')
ORDER BY case_id DESC
LIMIT 1
