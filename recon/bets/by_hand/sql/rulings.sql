-- $1 state, $2 bet (each null: any), $3 only those before this one (null: from the newest), $4 how
-- many. Newest first.
SELECT
    r.ruling_id,
    r.bet_id,
    r.user_id,
    r.currency,
    r.outcome,
    r.payout,
    r.payout_transaction_id,
    r.ticket_id,
    r.reason,
    r.evidence,
    r.standing,
    r.state,
    r.state = 'proposed' AND r.standing <> bet_standing(b) AS moved,
    r.proposed_by,
    r.proposed_at,
    r.decided_by,
    r.decided_at,
    r.decided_step,
    r.decision_reason
FROM bet_rulings AS r
INNER JOIN bets AS b ON r.user_id = b.user_id AND r.bet_id = b.bet_id
WHERE
    ($1::text IS NULL OR r.state = $1)
    AND ($2::uuid IS NULL OR r.bet_id = $2)
    AND ($3::uuid IS NULL OR r.ruling_id < $3)
ORDER BY r.ruling_id DESC
LIMIT $4
