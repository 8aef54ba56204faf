-- Incidents of which nothing is open any more; one that stopped runs ends otherwise.
UPDATE incidents AS i
SET closed_at = clock_timestamp()
WHERE
    i.closed_at IS NULL
    AND i.stopped_run_id IS NULL
    AND NOT EXISTS (
        SELECT
        FROM discrepancies AS d
        WHERE d.incident_id = i.incident_id AND d.closed_at IS NULL
    )
RETURNING i.incident_id
