-- $1 made by then, $2 only those after this bet (null: from the oldest), $3 how many. Bets that
-- rest, or that have no outcome since then; oldest first.
SELECT
    b.bet_id,
    b.user_id,
    b.state,
    b.currency,
    b.amount,
    b.round_id,
    b.ticket_id,
    b.created_at,
    b.due_at IS NULL AS rests,
    r.ruling_id,
    c.reason AS case_reason
FROM bets AS b
LEFT JOIN bet_rulings AS r
    ON b.user_id = r.user_id AND b.bet_id = r.bet_id AND r.state = 'proposed'
LEFT JOIN
    LATERAL (
        SELECT k.reason
        FROM cases AS k
        WHERE k.reference = b.bet_id::text AND k.state = 'open'
        ORDER BY k.case_id DESC
        LIMIT 1
    ) AS c
    ON true
WHERE
    b.state IN ('placing', 'placed', 'cashing_out')
    AND (b.due_at IS NULL OR b.created_at <= $1)
    AND ($2::uuid IS NULL OR b.bet_id > $2)
ORDER BY b.bet_id
LIMIT $3
