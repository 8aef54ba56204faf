-- $1 statuses, $2 causes, $3 user, $4 run that saw them, $5 currency, $6 incident (each null:
-- any), $7 only those before this one (null: from the newest), $8 how many, $9 run that opened
-- them, $10 assignee, $11 first seen from, $12 first seen before, $13 start of an id, or a fact's
-- whole id, $14 whether a part is unexplained (each null: any). Newest first.
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
    d.available_difference,
    d.held_difference,
    d.difference,
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
FROM
    matching_discrepancies(
        $1, $2, $5, $3, $4, $9, $10, $11, $12, $13, $6, $14, $7
    ) AS d
ORDER BY d.discrepancy_id DESC
LIMIT $8
