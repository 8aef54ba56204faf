-- $1..$7 and $9..$13 as in discrepancies.sql, $8 where to stop counting. How many match.
SELECT count(*) AS rows
FROM (
    SELECT d.discrepancy_id
    FROM discrepancies AS d
    LEFT JOIN run_discrepancies AS r
        ON
            d.discrepancy_id = r.discrepancy_id
            AND r.run_id = $4
            AND ($7::uuid IS NULL OR r.discrepancy_id < $7)
    WHERE
        ($1::text[] IS NULL OR d.status = any($1))
        AND ($2::text[] IS NULL OR d.cause = any($2))
        AND ($3::text IS NULL OR d.user_id = $3)
        AND ($4::uuid IS NULL OR r.standing <> 'healed')
        AND ($5::text IS NULL OR d.currency = $5)
        AND ($6::uuid IS NULL OR d.incident_id = $6)
        AND ($7::uuid IS NULL OR d.discrepancy_id < $7)
        AND ($9::uuid IS NULL OR d.first_run_id = $9)
        AND ($10::text IS NULL OR d.assignee = $10)
        AND ($11::timestamptz IS NULL OR d.first_seen_at >= $11)
        AND ($12::timestamptz IS NULL OR d.first_seen_at < $12)
        AND (
            $13::text IS NULL
            OR starts_with(d.user_id, $13)
            OR starts_with(d.discrepancy_id::text, lower($13))
            OR d.evidence @> jsonb_build_array(jsonb_build_object('id', $13))
        )
    ORDER BY d.discrepancy_id DESC
    LIMIT $8
) AS m
