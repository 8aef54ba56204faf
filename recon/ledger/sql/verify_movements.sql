-- Movements at a PSP that are not in the books, or are there as other money.
SELECT
    m.user_id,
    m.currency,
    m.endpoint,
    CASE
        WHEN p.user_id IS NULL
            THEN
                format(
                    '%s %s at %s was taken in and has no posting',
                    m.effect, m.object_id, m.endpoint
                )
        ELSE
            format(
                '%s %s at %s was taken in as %s %s and booked as %s %s',
                m.effect, m.object_id, m.endpoint, m.amount, m.currency, p.amount, p.currency
            )
    END AS detail
FROM public.movements AS m
LEFT JOIN public.idempotency AS i
    ON
        m.user_id = i.user_id
        AND i.source = 'psp:' || m.endpoint
        AND i.key = m.object_id || ':' || m.effect
LEFT JOIN public.postings AS p
    ON i.user_id = p.user_id AND i.currency = p.currency AND i.version = p.version
WHERE p.user_id IS NULL OR p.amount <> m.amount OR p.currency <> m.currency
ORDER BY m.endpoint, m.object_id, m.effect
LIMIT 100
