-- $1 for how long they must have been open. Incidents that are, and that nobody was told of, oldest
-- first; not those of which people have said that all is to be ignored.
SELECT i.incident_id
FROM incidents AS i
WHERE
    i.closed_at IS NULL
    AND i.opened_at <= clock_timestamp() - $1::interval
    AND (
        i.stopped_run_id IS NOT NULL
        OR EXISTS (
            SELECT
            FROM discrepancies AS d
            WHERE
                d.incident_id = i.incident_id
                AND d.status IN ('open', 'investigating', 'awaiting_approval')
        )
    )
    AND NOT EXISTS (
        SELECT
        FROM alert_subjects AS s
        WHERE s.kind = 'incident' AND s.subject = i.incident_id::text
    )
ORDER BY i.opened_at
