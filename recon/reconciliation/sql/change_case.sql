-- $1 user, $2 discrepancy, $3 status, $4 assignee, $5 ignored until.
UPDATE discrepancies
SET status = $3, assignee = $4, ignored_until = $5
WHERE user_id = $1 AND discrepancy_id = $2
