-- $1 statuses, $2 causes, $3 user, $4 run that saw them, $5 currency, $6 incident (each null:
-- any), $7 only those before this one (null: from the newest), $8 how many, $9 run that opened
-- them, $10 assignee, $11 first seen from, $12 first seen before, $13 start of an id, or a fact's
-- whole id (each null: any). Newest first.
SELECT
    d.discrepancy_id,
    d.user_id,
    d.currency,
    d.status,
    d.severity,
    d.cause,
    d.ledger_available,
    d.ledger_held,
    d.ledger_reserved,
    d.ledger_version,
    d.game_available,
    d.game_held,
    d.game_as_of,
    d.difference,
    d.held_difference,
    d.explained,
    d.unexplained,
    d.evidence,
    d.confidence,
    d.alternatives,
    d.looked_at,
    d.assignee,
    d.ignored_until,
    d.first_seen_at,
    d.last_seen_at,
    d.occurrences,
    d.first_run_id,
    d.last_run_id,
    d.closed_at,
    d.incident_id,
    coalesce((
        SELECT t.tolerance
        FROM run_tolerances AS t
        WHERE t.run_id = d.last_run_id AND t.currency = d.currency
    ), 0) AS tolerance
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
