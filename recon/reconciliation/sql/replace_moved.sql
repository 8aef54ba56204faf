-- $1 user, $2 discrepancy: what is proposed and can no longer be booked is stale. No row: nothing
-- is, or it still can.
UPDATE adjustments AS j
SET
    state = 'stale',
    decision_reason = n.why_stale || ', and it was proposed again'
FROM adjustments_now() AS n
WHERE
    n.user_id = $1
    AND n.discrepancy_id = $2
    AND n.why_stale IS NOT NULL
    AND j.user_id = n.user_id
    AND j.adjustment_id = n.adjustment_id
    AND j.state = 'proposed'
RETURNING
    j.adjustment_id,
    n.why_stale
