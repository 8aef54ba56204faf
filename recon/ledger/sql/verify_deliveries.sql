-- Movements that are not what their delivery says, and deliveries that are booked and of which
-- nothing has moved.
SELECT
    m.user_id,
    m.currency,
    CASE
        WHEN d.delivery_id IS NULL
            THEN format('%s %s at %s has no delivery', m.effect, m.object_id, m.endpoint)
        ELSE
            format(
                '%s %s at %s is %s %s of %s, its delivery %s says %s %s of %s and is %s',
                m.effect, m.object_id, m.endpoint, m.amount, m.currency, m.user_id,
                d.delivery_id, d.amount, d.currency, d.user_id, d.state
            )
    END AS detail
FROM public.movements AS m
LEFT JOIN public.deliveries AS d ON m.delivery_id = d.delivery_id
WHERE
    d.delivery_id IS NULL
    OR m.endpoint <> d.endpoint
    OR m.amount IS DISTINCT FROM d.amount
    OR m.currency IS DISTINCT FROM d.currency
    OR CASE
        -- In suspense, and perhaps released since.
        WHEN m.user_id LIKE '~%' THEN d.state NOT IN ('suspended', 'booked')
        ELSE d.state <> 'booked' OR m.user_id IS DISTINCT FROM d.user_id
    END
    OR (
        m.payment_id IS DISTINCT FROM d.payment_id
        -- It may have named the payment by another id that an earlier one told.
        AND NOT EXISTS (
            SELECT FROM public.movements AS o
            WHERE
                o.endpoint = m.endpoint
                AND o.payment_id = m.payment_id
                AND o.also_known_as = d.payment_id
        )
    )
UNION ALL
SELECT
    coalesce(d.user_id, '') AS user_id,
    coalesce(d.currency, '') AS currency,
    format('delivery %s is booked, and nothing of it has moved', d.delivery_id) AS detail
FROM public.deliveries AS d
WHERE
    d.state = 'booked'
    AND NOT EXISTS (
        SELECT FROM public.movements AS m
        WHERE m.delivery_id = d.delivery_id AND m.user_id NOT LIKE '~%'
    )
ORDER BY user_id, currency, detail
LIMIT 100
