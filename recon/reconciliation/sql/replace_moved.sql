-- $1 user, $2 discrepancy, $3 the wallet's version: what was proposed at another one is stale.
UPDATE adjustments
SET
    state = 'stale',
    decision_reason = 'the wallet moved, and it was proposed again'
WHERE
    user_id = $1
    AND discrepancy_id = $2
    AND state = 'proposed'
    AND ledger_version <> $3
RETURNING adjustment_id
