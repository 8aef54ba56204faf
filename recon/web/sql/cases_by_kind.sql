-- $1 how many at most. Open cases by kind, of the newest.
SELECT
    c.kind,
    count(*) AS cases
FROM (
    SELECT k.kind
    FROM cases AS k
    WHERE k.state = 'open'
    ORDER BY k.case_id DESC
    LIMIT $1
) AS c
GROUP BY c.kind
