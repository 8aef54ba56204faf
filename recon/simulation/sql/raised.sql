-- What people were shown and should not have been: any case.
SELECT
    c.kind,
    c.user_id,
    c.reason
FROM cases AS c
ORDER BY c.kind, c.user_id
