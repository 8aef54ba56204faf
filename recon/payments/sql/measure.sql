-- Withdrawals that are neither paid nor failed, by endpoint: how many, and how long the oldest has
-- held its player's money.
SELECT
    endpoint,
    count(*) AS reserved,
    extract(EPOCH FROM clock_timestamp() - min(registered_at))::float8 AS oldest_s
FROM payments
WHERE
    direction = 'withdrawal'
    AND hold_id IS NOT NULL
    AND state IN ('registered', 'pending', 'accepted')
GROUP BY endpoint
