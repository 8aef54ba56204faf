-- $1 users, $2 discrepancies, in parallel, that are closed: what is still proposed for them has
-- nothing left to correct.
UPDATE adjustments AS j
SET
    state = 'stale',
    decided_at = clock_timestamp(),
    decision_reason = 'the wallet agrees without it'
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
