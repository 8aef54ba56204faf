-- Holds, and ends of holds, that are not the posting which they name; and postings of a hold of
-- which nothing tells.
WITH told AS (
    SELECT
        h.user_id,
        h.currency,
        h.version,
        h.hold_id,
        h.amount,
        h.account,
        'opened' AS step
    FROM public.holds AS h
    UNION ALL
    SELECT
        r.user_id,
        h.currency,
        r.version,
        r.hold_id,
        h.amount,
        h.account,
        r.outcome AS step
    FROM public.hold_resolutions AS r
    INNER JOIN public.holds AS h ON r.user_id = h.user_id AND r.hold_id = h.hold_id
),

booked AS (
    SELECT
        user_id,
        currency,
        version,
        hold_id,
        amount,
        debit,
        credit
    FROM public.postings
    WHERE hold_id IS NOT NULL
)

SELECT
    coalesce(t.user_id, p.user_id) AS user_id,
    coalesce(t.currency, p.currency) AS currency,
    coalesce(t.version, p.version) AS version,
    CASE
        WHEN t.user_id IS NULL
            THEN format('posting %s is of hold %s, of which nothing tells', p.version, p.hold_id)
        WHEN p.user_id IS NULL
            THEN
                format(
                    'hold %s is said to be %s by posting %s, which is of no hold',
                    t.hold_id, t.step, t.version
                )
        ELSE
            format(
                'hold %s of %s on %s is said to be %s by posting %s: hold %s, %s from %s to %s',
                t.hold_id, t.amount, t.account, t.step, t.version,
                p.hold_id, p.amount, p.debit, p.credit
            )
    END AS detail
FROM told AS t
FULL JOIN booked AS p
    ON t.user_id = p.user_id AND t.currency = p.currency AND t.version = p.version
WHERE
    t.user_id IS NULL
    OR p.user_id IS NULL
    OR t.hold_id <> p.hold_id
    OR t.amount <> p.amount
    OR t.account <> CASE t.step WHEN 'opened' THEN p.credit ELSE p.debit END
ORDER BY 1, 2, 3
LIMIT 100
