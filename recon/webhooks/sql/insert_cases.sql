-- $1..$9 one array per column, all of one length. A delivery has one open case of a kind at most.
INSERT INTO cases (
    case_id, kind, endpoint, delivery_id, reference, user_id, currency, amount, reason
)
SELECT
    n.case_id,
    n.kind,
    n.endpoint,
    n.delivery_id,
    n.reference,
    n.user_id,
    n.currency,
    n.amount,
    n.reason
FROM
    unnest(
        $1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
        $8::numeric[], $9::text[]
    ) AS n (
        case_id, kind, endpoint, delivery_id, reference, user_id, currency, amount, reason
    )
WHERE NOT EXISTS (
    SELECT
    FROM cases AS c
    WHERE c.delivery_id = n.delivery_id AND c.kind = n.kind AND c.state = 'open'
)
