-- Wallets whose open holds are not what is held and reserved.
WITH open_holds AS (
    SELECT
        h.user_id,
        h.currency,
        coalesce(sum(h.amount) FILTER (WHERE h.account = 'held'), 0) AS held,
        coalesce(sum(h.amount) FILTER (WHERE h.account = 'reserved'), 0) AS reserved
    FROM public.holds AS h
    LEFT JOIN public.hold_resolutions AS r ON h.user_id = r.user_id AND h.hold_id = r.hold_id
    WHERE r.hold_id IS NULL
    GROUP BY h.user_id, h.currency
)

SELECT
    coalesce(w.user_id, o.user_id) AS user_id,
    coalesce(w.currency, o.currency) AS currency,
    format(
        'wallet says %s held and %s reserved, its open holds say %s and %s',
        w.held, w.reserved, coalesce(o.held, 0), coalesce(o.reserved, 0)
    ) AS detail
FROM public.wallets AS w
FULL JOIN open_holds AS o ON w.user_id = o.user_id AND w.currency = o.currency
WHERE
    coalesce(w.held, 0) <> coalesce(o.held, 0)
    OR coalesce(w.reserved, 0) <> coalesce(o.reserved, 0)
ORDER BY user_id, currency
LIMIT 100
