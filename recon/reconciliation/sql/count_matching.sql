-- $1..$7 as in discrepancies.sql, $8 where to stop counting. How many match.
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
    ORDER BY d.discrepancy_id DESC
    LIMIT $8
) AS m
