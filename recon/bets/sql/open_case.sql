-- $1 case, $2 kind, $3 bet, $4 user, $5 currency, $6 stake, $7 reason, $8 now. No row back:
-- there is one of this kind for the bet. Only that it has no outcome is said once for ever; of what
-- it rests for, another case is opened when the first was closed and nothing has changed.
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
        WHERE c.kind = $2 AND c.reference = $3 AND (c.state = 'open' OR c.kind = 'unresolved_bet')
    )
RETURNING case_id
