-- $1 endpoint, $2 from, $3 until: money that moved there by then, as we have it. What left suspense
-- stands under its second row. One that was voided has not moved at the PSP.
SELECT
    CASE split_part(effect, ':', 1)
        WHEN 'paid' THEN 'withdrawal'
        WHEN 'returned' THEN 'withdrawal_returned'
        WHEN 'refund_failed' THEN 'refund_reversed'
        WHEN 'deposit_reversed' THEN 'deposit'
        ELSE split_part(effect, ':', 1)
    END AS kind,
    payment_id,
    object_id AS effect_id,
    also_known_as,
    user_id,
    currency,
    CASE WHEN effect LIKE 'deposit_reversed%' THEN -amount ELSE amount END AS amount,
    extract(EPOCH FROM event_at)::numeric(20, 6) AS booked_at,
    effect LIKE '%:released' AS is_released,
    effect
FROM movements
WHERE
    endpoint = $1
    AND event_at >= $2
    AND event_at <= $3
    AND effect NOT LIKE 'voided%'
