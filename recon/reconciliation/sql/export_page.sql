-- $1..$14 as in discrepancies.sql, $15 only these (null: any). Each with the adjustment that counts
-- (the booked one, else the newest), why it is ignored, and its last comment. Newest first.
SELECT
    d.discrepancy_id,
    d.user_id,
    d.currency,
    d.status,
    d.severity,
    d.cause,
    d.ledger_available,
    d.ledger_held,
    d.game_available,
    d.game_held,
    d.game_as_of,
    d.available_difference,
    d.difference,
    d.explained,
    d.unexplained,
    d.evidence,
    d.assignee,
    d.first_seen_at,
    d.last_seen_at,
    d.occurrences,
    d.last_run_id,
    d.closed_at,
    a.adjustment_id,
    a.amount AS adjustment_amount,
    a.state AS adjustment_state,
    a.proposed_by,
    a.decided_by,
    i.reason AS ignored_reason,
    c.text AS last_comment
FROM
    matching_discrepancies(
        $1, $2, $5, $3, $4, $9, $10, $11, $12, $13, $6, $14, $7
    ) AS d
LEFT JOIN LATERAL (
    SELECT
        j.adjustment_id,
        j.amount,
        j.state,
        j.proposed_by,
        j.decided_by
    FROM adjustments AS j
    WHERE j.user_id = d.user_id AND j.discrepancy_id = d.discrepancy_id
    ORDER BY (j.state = 'booked') DESC, j.adjustment_id DESC
    LIMIT 1
) AS a ON true
LEFT JOIN LATERAL (
    SELECT e.detail ->> 'reason' AS reason
    FROM discrepancy_events AS e
    WHERE
        d.status = 'ignored'
        AND e.user_id = d.user_id
        AND e.discrepancy_id = d.discrepancy_id
        AND e.action = 'ignored'
    ORDER BY e.at DESC
    LIMIT 1
) AS i ON true
LEFT JOIN LATERAL (
    SELECT e.detail ->> 'text' AS text
    FROM discrepancy_events AS e
    WHERE
        e.user_id = d.user_id
        AND e.discrepancy_id = d.discrepancy_id
        AND e.action = 'commented'
    ORDER BY e.at DESC
    LIMIT 1
) AS c ON true
WHERE $15::uuid[] IS NULL OR d.discrepancy_id = any($15)
ORDER BY d.discrepancy_id DESC
LIMIT $8
