-- The newest verification that has ended.
SELECT
    state,
    finished_at,
    jsonb_array_length(faults) AS faults,
    reason
FROM verifications
WHERE finished_at IS NOT NULL
ORDER BY started_at DESC
LIMIT 1
