-- $1 case, $2 kind, $3 bet, $4 user, $5 currency, $6 stake, $7 reason, $8 now. Once for each kind
-- and bet: else no row back.
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
WHERE NOT EXISTS (SELECT FROM cases AS c WHERE c.kind = $2 AND c.reference = $3)
RETURNING case_id
