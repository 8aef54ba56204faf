-- $1 endpoint, $2 from, $3 until: money that moved there by then, as we have it. What left suspense
-- has two rows. What was voided has not moved at the PSP.
SELECT
    effect,
    payment_id,
    object_id AS effect_id,
    also_known_as,
    user_id,
    currency,
    amount,
    event_at AT TIME ZONE 'UTC' AS booked_at
FROM movements
WHERE
    endpoint = $1
    AND event_at >= $2
    AND event_at <= $3
    AND effect NOT LIKE 'voided%'
