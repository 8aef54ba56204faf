-- $1 user, $2 discrepancy, $3 event id, $4 actor, $5 action, $6 detail.
INSERT INTO discrepancy_events (user_id, discrepancy_id, event_id, actor, action, detail)
VALUES ($1, $2, $3, $4, $5, $6)
