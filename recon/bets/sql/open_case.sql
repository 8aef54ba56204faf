-- $1 case, $2 kind, $3 bet, $4 user, $5 currency, $6 stake, $7 reason, $8 now. No row back:
-- there is one of this kind for the bet. Of what it rests for, another case is opened when the
-- first was closed and nothing has changed; that it has no outcome is said again a day after.
INSERT INTO cases (case_id, kind, reference, user_id, currency, amount, reason, opened_at)
SELECT
    $1,
    $2,
    $3,
    $4,
    $5,
    $6,
    $7,
    $8
WHERE
    NOT EXISTS (
        SELECT FROM cases AS c
        WHERE
            c.kind = $2
            AND c.reference = $3
            AND (
                c.state = 'open'
                OR (c.kind = 'unresolved_bet' AND c.closed_at > $8::timestamptz - interval '1 day')
            )
    )
RETURNING case_id
