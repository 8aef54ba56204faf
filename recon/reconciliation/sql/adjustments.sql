-- $1 state, $2 discrepancy (each null: any), $3 only those before this one (null: from the
-- newest), $4 how many. Newest first.
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
WHERE
    ($1::text IS NULL OR j.state = $1)
    AND ($2::uuid IS NULL OR j.discrepancy_id = $2)
    AND ($3::uuid IS NULL OR j.adjustment_id < $3)
ORDER BY j.adjustment_id DESC
LIMIT $4
