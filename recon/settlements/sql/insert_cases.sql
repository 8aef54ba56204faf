-- $1..$7 one array per column, all of one length; $8 endpoint, $9 when.
INSERT INTO cases (
    case_id, kind, endpoint, reference, user_id, currency, amount, reason, opened_at
)
SELECT
    n.case_id,
    n.kind,
    $8,
    n.reference,
    n.user_id,
    n.currency,
    n.amount,
    n.reason,
    $9
FROM
    unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::numeric[], $7::text[]
    ) AS n (case_id, kind, reference, user_id, currency, amount, reason)
