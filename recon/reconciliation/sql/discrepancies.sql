-- $1 statuses, $2 causes, $3 user, $4 run that saw them, $5 currency, $6 incident (each null:
-- any), $7 only those before this one (null: from the newest), $8 how many. Newest first.
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
ORDER BY d.discrepancy_id DESC
LIMIT $8
