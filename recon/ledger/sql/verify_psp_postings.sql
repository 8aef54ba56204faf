-- Postings of a PSP's money that was never taken in from it, or as other money. What leaves a
-- suspense stands in its own book, under the key of the movement that gives it to a player.
SELECT
    p.user_id,
    p.currency,
    format(
        'posting %s books %s as %s of %s, and %s',
        p.version, p.amount, p.key, p.source,
        CASE
            WHEN m.endpoint IS NULL THEN 'no such movement was taken in'
            ELSE
                format(
                    'the movement that was taken in is %s %s of %s',
                    m.amount, m.currency, m.user_id
                )
        END
    ) AS detail
FROM public.postings AS p
LEFT JOIN public.movements AS m
    ON p.source = 'psp:' || m.endpoint AND p.key = m.object_id || ':' || m.effect
WHERE
    p.source LIKE 'psp:%'
    AND (
        m.endpoint IS NULL
        OR m.amount <> p.amount
        OR m.currency <> p.currency
        OR (
            m.user_id <> p.user_id
            AND NOT (
                m.effect LIKE '%:released'
                AND p.user_id = '~' || m.endpoint || ':' || m.object_id
            )
        )
    )
ORDER BY p.user_id, p.currency, p.version
LIMIT 100
