-- $1 at most so many. What was ignored until an instant that has passed is open again.
UPDATE discrepancies AS d
SET
    status = CASE WHEN d.assignee IS NULL THEN 'open' ELSE 'investigating' END,
    ignored_until = null
FROM (
    SELECT
        user_id,
        discrepancy_id
    FROM discrepancies
    WHERE status = 'ignored' AND ignored_until <= clock_timestamp()
    ORDER BY ignored_until
    LIMIT $1
    FOR NO KEY UPDATE SKIP LOCKED
) AS e
WHERE d.user_id = e.user_id AND d.discrepancy_id = e.discrepancy_id
RETURNING
    d.user_id,
    d.discrepancy_id
