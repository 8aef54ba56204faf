-- $1 states, $2 only those after this case (null: all), $3 how many, $4 kind (null: any). Oldest
-- first: so many of each state, by its index, of which the oldest are shown.
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
            k.state = s.state
            AND k.case_id > coalesce($2::uuid, '00000000-0000-0000-0000-000000000000')
            AND ($4::text IS NULL OR k.kind = $4)
        ORDER BY k.case_id
        LIMIT $3
    ) AS c
ORDER BY c.case_id
LIMIT $3
