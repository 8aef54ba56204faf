-- $1 run, $2 user, $3 discrepancy.
INSERT INTO run_discrepancies (run_id, user_id, discrepancy_id)
VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
