-- $1 user, $2 discrepancy, $3 event.
SELECT
    event_id,
    discrepancy_id,
    at,
    actor,
    action,
    detail
FROM discrepancy_events
WHERE user_id = $1 AND discrepancy_id = $2 AND event_id = $3
