-- $1..$13 as in discrepancies.sql. Each with the adjustment that counts (the booked one, else the
-- newest), why it is ignored, and its last comment. Newest first.
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
    d.difference,
    d.held_difference,
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
FROM discrepancies AS d
LEFT JOIN run_discrepancies AS r
    ON
        d.discrepancy_id = r.discrepancy_id
        AND r.run_id = $4
        AND ($7::uuid IS NULL OR r.discrepancy_id < $7)
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
