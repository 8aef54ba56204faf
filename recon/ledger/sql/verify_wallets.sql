-- Wallets whose balances are not the fold of their postings, or whose versions have a gap.
WITH folded AS (
    SELECT
        user_id,
        currency,
        count(*) AS postings,
        max(version) AS version,
        sum(CASE 'available' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END)
            AS available,
        sum(CASE 'held' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END) AS held,
        sum(CASE 'reserved' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END)
            AS reserved
    FROM public.postings
    GROUP BY user_id, currency
)

SELECT
    coalesce(w.user_id, f.user_id) AS user_id,
    coalesce(w.currency, f.currency) AS currency,
    (f.postings IS DISTINCT FROM f.version OR f.version IS DISTINCT FROM w.version) AS gap,
    format(
        'wallet says %s/%s/%s at version %s, its postings say %s/%s/%s at version %s of %s rows',
        w.available, w.held, w.reserved, w.version,
        f.available, f.held, f.reserved, f.version, f.postings
    ) AS detail
FROM public.wallets AS w
FULL JOIN folded AS f ON w.user_id = f.user_id AND w.currency = f.currency
WHERE
    'NaN' IN (w.available, w.held, w.reserved)
    OR (
        -- Opened, and nothing was posted yet.
        ((w.available, w.held, w.reserved, w.version) = (0, 0, 0, 0)) IS NOT true
        AND (
            (w.available, w.held, w.reserved, w.version)
            IS DISTINCT FROM (f.available, f.held, f.reserved, f.version)
            OR f.postings IS DISTINCT FROM f.version
        )
    )
    OR (w.version = 0 AND f.version IS NOT NULL)
ORDER BY user_id, currency
LIMIT 100
