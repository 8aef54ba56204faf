-- $1 a run that has ended. Incidents that had closed, and of which it has seen something come back.
UPDATE incidents AS i
SET closed_at = null
FROM (
    SELECT DISTINCT d.incident_id
    FROM run_discrepancies AS s
    INNER JOIN discrepancies AS d ON s.user_id = d.user_id AND s.discrepancy_id = d.discrepancy_id
    WHERE s.run_id = $1 AND d.closed_at IS NULL
) AS t
WHERE i.incident_id = t.incident_id AND i.closed_at IS NOT NULL
