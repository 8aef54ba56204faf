-- $1 states, $2 only those before this case (null: all), $3 how many, $4 kind. As list_cases.sql.
SELECT
    c.case_id,
    c.kind,
    c.endpoint,
    c.delivery_id,
    c.reference,
    c.user_id,
    c.currency,
    c.amount,
    c.reason,
    c.state,
    c.opened_at,
    c.closed_at,
    c.closed_by,
    c.closed_reason
FROM unnest($1::text[]) AS s (state)
CROSS JOIN
    LATERAL (
        SELECT k.*
        FROM cases AS k
        WHERE
            k.kind = $4
            AND k.state = s.state
            AND k.case_id < coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        ORDER BY k.case_id DESC
        LIMIT $3
    ) AS c
ORDER BY c.case_id DESC
LIMIT $3
