-- $1 endpoints, $2 ids by which payments are named, in parallel. Deliveries that may be decided
-- otherwise once more is known of their payment: oldest event first.
SELECT
    d.delivery_id,
    d.endpoint,
    d.event_id,
    d.provider,
    d.received_at,
    d.verified_by,
    d.event_type,
    d.kind,
    d.payment_id,
    d.effect_id,
    d.reference,
    d.user_id,
    d.currency,
    d.amount,
    d.event_at,
    d.state,
    d.reason,
    d.body,
    d.body_sha256,
    d.headers
FROM unnest($1::text[], $2::text[]) AS a (endpoint, payment_id)
CROSS JOIN
    LATERAL (
        -- Its state is looked at outside the fence: see intake_look_up.
        SELECT s.*
        FROM deliveries AS s
        WHERE s.payment_id = a.payment_id AND s.endpoint = a.endpoint
        ORDER BY s.event_at, s.delivery_id
        OFFSET 0
    ) AS d
WHERE
    d.state IN ('waiting', 'suspended')
    OR (d.state = 'ignored' AND d.kind = 'deposit.failed')
ORDER BY d.event_at, d.delivery_id
