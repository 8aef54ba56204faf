-- $1 ruling.
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
WHERE r.ruling_id = $1
