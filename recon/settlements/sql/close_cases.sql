-- $1 cases, $2 by whom, $3 why. Those of which nothing is open any more.
UPDATE cases AS c
SET state = 'closed', closed_at = clock_timestamp(), closed_by = $2, closed_reason = $3
WHERE
    c.case_id = any($1::uuid[])
    AND c.state = 'open'
    AND NOT EXISTS (
        SELECT FROM settlement_findings AS f
        WHERE f.case_id = c.case_id AND f.state = 'open'
    )
