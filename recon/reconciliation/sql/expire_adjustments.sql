-- $1 users, $2 discrepancies, in parallel; $3 why what is still proposed for them corrects nothing
-- any more.
UPDATE adjustments AS j
SET state = 'stale', decision_reason = $3
FROM unnest($1::text[], $2::uuid[]) AS d (user_id, discrepancy_id)
WHERE
    j.user_id = d.user_id
    AND j.discrepancy_id = d.discrepancy_id
    AND j.state = 'proposed'
RETURNING
    j.user_id,
    j.discrepancy_id,
    j.adjustment_id,
    j.decision_reason
