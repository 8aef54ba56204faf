-- $1 endpoints, $2 ids by which payments are named, $3 ids of refunds, disputes and payouts, in
-- parallel (null: none). Every movement of those payments and those of those objects, oldest first;
-- see intake_movements in 0003_webhooks.up.sql.
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
FROM intake_movements($1, $2, $3)
ORDER BY delivery_id, object_id, effect
