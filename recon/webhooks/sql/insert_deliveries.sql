-- $1..$21 one array per column, all of one length. One that is there already gives no row back.
INSERT INTO deliveries (
    delivery_id, endpoint, event_id, provider, received_at, body, body_sha256, content_sha256,
    headers, verified_by, event_type, kind, payment_id, effect_id, reference, user_id, currency,
    amount, event_at, state, reason
)
SELECT
    delivery_id,
    endpoint,
    event_id,
    provider,
    received_at,
    body,
    body_sha256,
    content_sha256,
    headers::jsonb,
    verified_by,
    event_type,
    kind,
    payment_id,
    effect_id,
    reference,
    user_id,
    currency,
    amount,
    event_at,
    state,
    reason
FROM
    unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::bytea[],
        $7::bytea[], $8::bytea[], $9::text[], $10::text[], $11::text[], $12::text[],
        $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], $18::numeric[],
        $19::timestamptz[], $20::text[], $21::text[]
    ) AS d (
        delivery_id, endpoint, event_id, provider, received_at, body, body_sha256,
        content_sha256, headers, verified_by, event_type, kind, payment_id, effect_id, reference,
        user_id, currency, amount, event_at, state, reason
    )
ON CONFLICT (endpoint, event_id) DO NOTHING
RETURNING delivery_id
