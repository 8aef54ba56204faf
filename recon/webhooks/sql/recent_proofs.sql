-- $1 how many. What the newest deliveries were verified by, and the headers that say when they were
-- signed. Newest first.
SELECT
    endpoint,
    provider,
    received_at,
    verified_by,
    headers
FROM deliveries
ORDER BY delivery_id DESC
LIMIT $1
