-- $1 user, $2 endpoints and $3 references, in parallel. What a PSP reported of them and is in no
-- player's book, newest first; and what of it is booked to this player: under the same money object
-- by another delivery (booked), and what it would undo (undoes_booked).
SELECT
    d.delivery_id,
    d.endpoint,
    d.event_type,
    d.kind,
    d.state,
    d.reason,
    d.currency,
    d.amount,
    d.reference,
    d.payment_id,
    d.effect_id,
    d.received_at,
    d.verified_by,
    (
        SELECT m.amount
        FROM movements AS m
        WHERE
            m.endpoint = d.endpoint
            AND m.object_id = any(ARRAY[
                coalesce(d.effect_id, d.payment_id),
                CASE WHEN d.kind = 'deposit.succeeded' THEN d.payment_id END
            ])
            AND split_part(m.effect, ':', 1) = any(
                CASE d.kind
                    WHEN 'deposit.succeeded' THEN ARRAY['deposit']
                    WHEN 'deposit.failed' THEN ARRAY['deposit_reversed']
                    WHEN 'deposit.refunded' THEN ARRAY['refund']
                    WHEN 'deposit.refund_failed' THEN ARRAY['refund_failed']
                    WHEN 'deposit.charged_back' THEN ARRAY['chargeback', 'second_chargeback']
                    WHEN 'deposit.chargeback_reversed' THEN ARRAY['chargeback_reversed']
                    WHEN 'withdrawal.paid' THEN ARRAY['paid']
                    ELSE ARRAY['returned', 'voided']
                END
            )
            AND m.user_id = $1
            AND m.currency = d.currency
        ORDER BY m.event_at DESC
        LIMIT 1
    ) AS booked,
    exists(
        SELECT FROM movements AS m
        WHERE
            m.endpoint = d.endpoint
            AND (m.object_id = coalesce(d.effect_id, d.payment_id) OR m.object_id = d.payment_id)
            AND split_part(m.effect, ':', 1) = any(
                CASE d.kind
                    WHEN 'deposit.failed' THEN ARRAY['deposit']
                    WHEN 'deposit.refund_failed' THEN ARRAY['refund']
                    WHEN 'deposit.chargeback_reversed'
                        THEN ARRAY['chargeback', 'second_chargeback']
                    WHEN 'withdrawal.failed' THEN ARRAY['paid']
                    WHEN 'withdrawal.returned' THEN ARRAY['paid']
                    ELSE '{}'::text[]
                END
            )
            AND m.user_id = $1
    ) AS undoes_booked
FROM deliveries AS d
WHERE
    d.state IN ('waiting', 'suspended', 'quarantined')
    AND (
        d.user_id = $1
        OR (
            d.reference = any($3::text[])
            AND EXISTS (
                SELECT FROM unnest($2::text[], $3::text[]) AS k (endpoint, reference)
                WHERE d.reference = k.reference AND d.endpoint = k.endpoint
            )
        )
    )
ORDER BY d.delivery_id DESC
LIMIT 500
