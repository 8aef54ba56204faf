-- $1 discrepancy, $2 only those after this event (null: from the first), $3 how many. Oldest first.
SELECT
    e.event_id,
    e.discrepancy_id,
    e.at,
    e.actor,
    e.action,
    e.detail
FROM discrepancies AS d
INNER JOIN discrepancy_events AS e ON d.user_id = e.user_id AND d.discrepancy_id = e.discrepancy_id
WHERE
    d.discrepancy_id = $1
    AND (
        $2::uuid IS NULL
        OR (e.at, e.event_id) > (
            SELECT
                p.at,
                p.event_id
            FROM discrepancy_events AS p
            WHERE
                p.user_id = d.user_id
                AND p.discrepancy_id = d.discrepancy_id
                AND p.event_id = $2
        )
    )
ORDER BY e.at, e.event_id
LIMIT $3
