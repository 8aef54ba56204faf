-- The newest verification that came to an end, and how many faults it found.
SELECT
    finished_at,
    jsonb_array_length(faults) AS faults
FROM verifications
WHERE state IN ('holds', 'faulty')
ORDER BY started_at DESC
LIMIT 1
