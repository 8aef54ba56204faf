-- $1 discrepancy.
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
FROM discrepancies AS d
WHERE d.discrepancy_id = $1
