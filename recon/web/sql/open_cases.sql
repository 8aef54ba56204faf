-- Open cases, and how many of them are payments of which nobody was heard in time.
SELECT
    count(*) AS total,
    count(*) FILTER (WHERE kind IN ('payment_overdue', 'withdrawal_overdue')) AS overdue
FROM cases
WHERE state = 'open'
