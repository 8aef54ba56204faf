-- $1 statuses, $2 causes, $3 currency, $4 user, $5 run that saw them, $6 run that opened
-- them, $7 assignee, $8 first seen from, $9 first seen before, $10 start of an id, or a
-- fact's whole id, $11 incident (each null: any), $12 sort, $13 key and $14 id of the last
-- row (null: from the start), $15 how many. Smallest first; a sort that is none of these is
-- by id, which is by age. Amounts are compared in whole units, so that a list of several
-- currencies has an order.
SELECT
    d.discrepancy_id,
    d.user_id,
    d.currency,
    d.status,
    d.severity,
    d.cause,
    d.ledger_available,
    d.game_available,
    d.difference,
    d.unexplained,
    d.assignee,
    d.first_seen_at,
    d.last_seen_at,
    k.key
FROM discrepancies AS d
CROSS JOIN
    LATERAL (
        SELECT
            CASE $12
                WHEN 'size' THEN abs(d.difference) * power(10::numeric, -d.exponent)
                WHEN 'unexplained' THEN abs(d.unexplained) * power(10::numeric, -d.exponent)
                WHEN
                    'severity'
                    THEN
                        array_position(
                            ARRAY['low', 'medium', 'high', 'critical'], d.severity
                        )::numeric
                ELSE 0::numeric
            END AS key
    ) AS k
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
    AND ($14::uuid IS NULL OR (k.key, d.discrepancy_id) > ($13::numeric, $14))
    -- The same once more for the order by id, where the key is a constant that no index knows.
    AND ($14::uuid IS NULL OR k.key <> $13::numeric OR d.discrepancy_id > $14)
ORDER BY k.key ASC, d.discrepancy_id ASC
LIMIT $15
