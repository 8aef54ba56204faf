-- Movements at a PSP that are not in the books.
SELECT
    m.user_id,
    m.currency,
    m.endpoint,
    format('%s %s at %s was taken in and has no posting', m.effect, m.object_id, m.endpoint)
        AS detail
FROM movements AS m
LEFT JOIN idempotency AS i
    ON
        m.user_id = i.user_id
        AND i.source = 'psp:' || m.endpoint
        AND i.key = m.object_id || ':' || m.effect
WHERE i.user_id IS NULL
ORDER BY m.endpoint, m.object_id
LIMIT 100
