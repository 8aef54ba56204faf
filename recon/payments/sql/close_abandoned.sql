-- $1 how long the case of a deposit that nobody reports stays open, $2 how many at once. The
-- payment stays registered: a report that comes after all is booked.
UPDATE cases AS c
SET
    state = 'closed',
    closed_at = clock_timestamp(),
    closed_by = 'schedule',
    closed_reason = 'abandoned: nobody has reported it all this time'
FROM (
    SELECT o.case_id
    FROM cases AS o
    INNER JOIN payments AS p ON o.reference = p.reference
    WHERE
        o.state = 'open'
        AND o.kind = 'payment_overdue'
        AND o.opened_at < clock_timestamp() - $1::interval
        AND p.direction = 'deposit'
    ORDER BY o.opened_at
    LIMIT $2
    FOR UPDATE OF o SKIP LOCKED
) AS a
WHERE c.case_id = a.case_id
RETURNING c.case_id
