-- $1 delivery, and what its bytes are now read to say: $2 type, $3 kind, $4 payment, $5 effect,
-- $6 reference, $7 currency, $8 minor units, $9 when.
UPDATE deliveries
SET
    event_type = $2,
    kind = $3,
    payment_id = $4,
    effect_id = $5,
    reference = $6,
    currency = $7,
    amount = $8,
    event_at = $9
WHERE delivery_id = $1
