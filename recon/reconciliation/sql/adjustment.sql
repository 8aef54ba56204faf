-- $1 adjustment.
SELECT
    j.adjustment_id,
    j.discrepancy_id,
    j.user_id,
    j.currency,
    j.amount,
    j.reason,
    j.state,
    j.ledger_version,
    j.proposed_by,
    j.proposed_at,
    j.decided_by,
    j.decided_at,
    j.decision_reason,
    j.state = 'proposed' AND j.ledger_version <> coalesce(w.version, 0) AS moved
FROM adjustments AS j
LEFT JOIN wallets AS w ON j.user_id = w.user_id AND j.currency = w.currency
WHERE j.adjustment_id = $1
