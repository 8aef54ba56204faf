-- $1 kinds of cases, $2 for how long they must have been open. Those that are, and that nobody was
-- told of, oldest first.
SELECT
    c.case_id,
    c.kind,
    c.reference AS bet_id,
    c.user_id,
    c.currency,
    c.amount,
    c.reason,
    c.opened_at
FROM cases AS c
WHERE
    c.state = 'open'
    AND c.kind = any($1::text[])
    AND c.opened_at <= clock_timestamp() - $2::interval
    AND NOT EXISTS (
        SELECT
        FROM alert_subjects AS s
        WHERE s.kind = 'bet' AND s.subject = c.case_id::text
    )
ORDER BY c.opened_at
