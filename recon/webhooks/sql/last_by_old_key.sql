-- $1 endpoints, $2 names of keys that are no endpoint's newest, in parallel. When each has verified
-- something for the last time, where it ever has.
SELECT
    k.endpoint,
    k.verified_by,
    d.received_at
FROM unnest($1::text[], $2::text[]) AS k (endpoint, verified_by)
CROSS JOIN
    LATERAL (
        SELECT d.received_at
        FROM deliveries AS d
        WHERE
            d.endpoint = k.endpoint
            AND d.verified_by = k.verified_by
            AND d.verified_by LIKE 'key:%'
            AND d.verified_by NOT LIKE 'key:0:%'
        ORDER BY d.delivery_id DESC
        LIMIT 1
    ) AS d
