-- $1 endpoints, $2 ids by which payments are named, in parallel. What was told of those payments by
-- an id of its own, and was taken for what had moved already.
SELECT DISTINCT
    d.endpoint,
    d.payment_id,
    d.effect_id,
    d.kind
FROM unnest($1::text[], $2::text[]) AS a (endpoint, payment_id)
CROSS JOIN
    LATERAL (
        -- Its state is looked at outside the fence, which is in no order: see intake_look_up.
        SELECT s.*
        FROM deliveries AS s
        WHERE s.payment_id = a.payment_id AND s.endpoint = a.endpoint
        OFFSET 0 -- noqa: AM09
    ) AS d
WHERE d.state = 'repeated' AND d.effect_id IS NOT NULL AND d.kind IS NOT NULL
