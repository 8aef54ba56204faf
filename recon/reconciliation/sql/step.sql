-- $1 user, $2 discrepancy, $3 event. What that step noted; no row: it was not taken yet.
SELECT detail
FROM discrepancy_events
WHERE user_id = $1 AND discrepancy_id = $2 AND event_id = $3
