-- $1 statuses, $2 causes, $3 currency, $4 user, $5 run that saw them, $6 run that opened them,
-- $7 assignee, $8 first seen from, $9 first seen before, $10 start of an id, or a fact's whole id,
-- $11 incident (each null: any), $12 how many rows to add up at most (null: all). What the filter
-- comes to, by currency.
SELECT
    d.currency,
    count(*) AS rows,
    coalesce(sum(d.difference) FILTER (WHERE d.difference > 0), 0) AS above,
    coalesce(sum(d.difference) FILTER (WHERE d.difference < 0), 0) AS below,
    sum(d.difference) AS net,
    sum(abs(d.unexplained)) AS unexplained
FROM (
    SELECT
        d.currency,
        d.difference,
        d.unexplained
    FROM discrepancies AS d
    WHERE
        ($1::text[] IS NULL OR d.status = any($1))
        AND ($2::text[] IS NULL OR d.cause = any($2))
        AND ($3::text IS NULL OR d.currency = $3)
        AND ($4::text IS NULL OR d.user_id = $4)
        AND (
            $5::uuid IS NULL
            OR d.discrepancy_id IN (
                SELECT r.discrepancy_id FROM run_discrepancies AS r
                WHERE r.run_id = $5 AND r.standing <> 'healed'
            )
        )
        AND ($6::uuid IS NULL OR d.first_run_id = $6)
        AND ($7::text IS NULL OR d.assignee = $7)
        AND ($8::timestamptz IS NULL OR d.first_seen_at >= $8)
        AND ($9::timestamptz IS NULL OR d.first_seen_at < $9)
        AND (
            $10::text IS NULL
            OR starts_with(d.user_id, $10)
            OR starts_with(d.discrepancy_id::text, lower($10))
            OR d.evidence @> jsonb_build_array(jsonb_build_object('id', $10))
        )
        AND ($11::uuid IS NULL OR d.incident_id = $11)
    LIMIT $12 -- noqa: AM09
) AS d
GROUP BY d.currency
ORDER BY d.currency
