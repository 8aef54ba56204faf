-- $1 incident, $2 cause, $3 root, $4 from, $5 until. Everything open within it is part of it.
UPDATE discrepancies
SET incident_id = $1
WHERE
    cause = $2
    AND root = $3
    AND root_at BETWEEN $4 AND $5
    AND closed_at IS NULL
    AND incident_id IS DISTINCT FROM $1
