-- Deliveries whose money is in no player's book, by state: how many, and how long ago the oldest
-- of them came.
SELECT
    state,
    count(*) AS deliveries,
    extract(EPOCH FROM clock_timestamp() - min(received_at))::float8 AS oldest_s
FROM deliveries
WHERE state IN ('waiting', 'suspended', 'quarantined')
GROUP BY state
