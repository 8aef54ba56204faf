-- $1 how long after it was registered a payment is overdue, $2 how many at most. The longest
-- overdue first. One whose report is being booked is left alone: it is not overdue any more.
SELECT reference
FROM payments
WHERE
    state = 'registered'
    AND overdue_at IS NULL
    AND registered_at < clock_timestamp() - $1::interval
ORDER BY registered_at
LIMIT $2
FOR NO KEY UPDATE SKIP LOCKED
