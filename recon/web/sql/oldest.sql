-- The discrepancy that waits longest for people.
SELECT
    discrepancy_id,
    user_id,
    currency,
    difference,
    first_seen_at
FROM discrepancies
WHERE status IN ('open', 'investigating', 'awaiting_approval')
ORDER BY first_seen_at, discrepancy_id
LIMIT 1
