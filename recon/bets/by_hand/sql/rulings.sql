-- $1 state, $2 bet (each null: any), $3 only those before this one (null: from the first), $4 how
-- many, $5 sort: by what is paid out, in whole units of its currency, or by id, which is by age.
-- Largest, or newest, first.
-- Turned it is the other way round, and before is after.
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
INNER JOIN currencies AS c ON r.currency = c.code
CROSS JOIN
    LATERAL (
        SELECT
            CASE $5::text
                WHEN 'amount' THEN coalesce(r.payout, 0) * power(10::numeric, -c.exponent)
                ELSE 0::numeric
            END AS key
    ) AS k
WHERE
    ($1::text IS NULL OR r.state = $1)
    AND ($2::uuid IS NULL OR r.bet_id = $2)
    AND (
        $3::uuid IS NULL
        OR CASE $5
            WHEN 'amount'
                THEN (k.key, r.ruling_id) < ( -- turns
                    SELECT
                        coalesce(l.payout, 0) * power(10::numeric, -e.exponent),
                        l.ruling_id
                    FROM bet_rulings AS l
                    INNER JOIN currencies AS e ON l.currency = e.code
                    WHERE l.ruling_id = $3
                )
            ELSE r.ruling_id < $3 -- turns
        END
    )
ORDER BY
    k.key DESC, -- turns
    r.ruling_id DESC -- turns
LIMIT $4
