-- Postings without their idempotency row, and the reverse.
SELECT
    coalesce(p.user_id, i.user_id) AS user_id,
    coalesce(p.currency, i.currency) AS currency,
    coalesce(p.version, i.version) AS version,
    CASE
        WHEN i.user_id IS NULL THEN 'the posting has no idempotency row'
        ELSE 'the idempotency row has no posting'
    END AS detail
FROM public.postings AS p
FULL JOIN public.idempotency AS i
    ON
        p.user_id = i.user_id
        AND p.source = i.source
        AND p.key = i.key
        AND p.version = i.version
        AND p.currency = i.currency
WHERE p.user_id IS NULL OR i.user_id IS NULL
ORDER BY 1, 2, 3
LIMIT 100
