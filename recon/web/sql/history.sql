-- $1 user, $2 discrepancy, $3 how many. What happened to it, newest first.
SELECT
    event_id,
    at,
    actor,
    action,
    detail
FROM discrepancy_events
WHERE user_id = $1 AND discrepancy_id = $2
ORDER BY event_id DESC
LIMIT $3
