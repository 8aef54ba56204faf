-- What a batch has decided, written together: $1 a ledger_entry each, see ledger_post in
-- 0001_ledger.up.sql; $2 an intake_delivery each and $3 an intake_movement each, see
-- 0003_webhooks.up.sql; $4 references, $5 states, $6 the PSP's payment ids and $7 when we had it
-- (null: now), in parallel, see payments_report in 0002_payments.up.sql.
-- A delivery or a movement that is there already is not written: the answer says what became of
-- each entry, counts the deliveries that are written, and has the delivery of each movement that
-- is.
WITH posted AS (
    SELECT
        member,
        outcome
    FROM ledger_post($1)
),

reported AS (
    SELECT payments_report($4, $5, $6, $7)
),

kept AS (
    INSERT INTO deliveries (
        delivery_id, endpoint, event_id, provider, received_at, body, body_sha256,
        content_sha256, headers, verified_by, event_type, kind, payment_id, effect_id,
        reference, user_id, currency, amount, event_at, state, reason
    )
    SELECT
        d.delivery_id,
        d.endpoint,
        d.event_id,
        d.provider,
        d.received_at,
        d.body,
        d.body_sha256,
        d.content_sha256,
        d.headers::jsonb,
        d.verified_by,
        d.event_type,
        d.kind,
        d.payment_id,
        d.effect_id,
        d.reference,
        d.user_id,
        d.currency,
        d.amount::numeric,
        d.event_at,
        d.state,
        d.reason
    FROM unnest($2::intake_delivery[]) AS d
    ON CONFLICT (endpoint, event_id) DO NOTHING
    RETURNING delivery_id
),

moved AS (
    INSERT INTO movements (
        endpoint, object_id, effect, delivery_id, payment_id, also_known_as, user_id, currency,
        amount, event_at
    )
    SELECT
        m.endpoint,
        m.object_id,
        m.effect,
        m.delivery_id,
        m.payment_id,
        m.also_known_as,
        m.user_id,
        m.currency,
        m.amount::numeric,
        m.event_at
    FROM unnest($3::intake_movement[]) AS m
    ON CONFLICT (endpoint, object_id, effect) DO NOTHING
    RETURNING delivery_id
)

SELECT
    (SELECT array_agg(outcome ORDER BY member) FROM posted) AS posted,
    (SELECT count(*) FROM kept) AS kept,
    (SELECT array_agg(delivery_id) FROM moved) AS moved,
    (SELECT count(*) FROM reported) AS reported
