-- $1..$10 one array per column, all of one length. One that is there already gives no row back.
INSERT INTO movements (
    endpoint, object_id, effect, delivery_id, payment_id, also_known_as, user_id, currency, amount,
    event_at
)
SELECT
    endpoint,
    object_id,
    effect,
    delivery_id,
    payment_id,
    also_known_as,
    user_id,
    currency,
    amount,
    event_at
FROM
    unnest(
        $1::text[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::numeric[], $10::timestamptz[]
    ) AS m (
        endpoint, object_id, effect, delivery_id, payment_id, also_known_as, user_id, currency,
        amount, event_at
    )
ON CONFLICT (endpoint, object_id, effect) DO NOTHING
RETURNING
    endpoint,
    object_id,
    effect
