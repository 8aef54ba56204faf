-- $1 for how long they must have been open. Incidents that are, and that nobody was told of, oldest
-- first.
SELECT i.incident_id
FROM incidents AS i
WHERE
    i.closed_at IS NULL
    AND i.opened_at <= clock_timestamp() - $1::interval
    AND NOT EXISTS (
        SELECT
        FROM alert_subjects AS s
        WHERE s.kind = 'incident' AND s.subject = i.incident_id::text
    )
ORDER BY i.opened_at
