-- $1 endpoints, $2 ids by which payments are named, in parallel; $3 how many of each at most.
-- Deliveries that may be decided otherwise once more is known of their payment: oldest event first.
-- Where there are more, money comes before attempts that failed, the oldest of the former and the
-- newest of the latter. What is left out stays a case (waiting_too_long, suspended) until it is
-- replayed or more is booked of its payment.
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
        SELECT f.*
        FROM (
            -- Its state is looked at outside the fence, which is in no order: see intake_look_up.
            SELECT s.*
            FROM deliveries AS s
            WHERE s.payment_id = a.payment_id AND s.endpoint = a.endpoint
            OFFSET 0 -- noqa: AM09
        ) AS f
        WHERE
            f.state IN ('waiting', 'suspended')
            OR (f.state = 'ignored' AND f.kind = 'deposit.failed')
        ORDER BY
            f.state = 'ignored' ASC,
            CASE WHEN f.state <> 'ignored' THEN f.event_at END ASC,
            f.event_at DESC,
            f.delivery_id ASC
        LIMIT $3
    ) AS d
ORDER BY d.event_at, d.delivery_id
