-- Adjustments that were booked and are not in the books, or as other money; and postings of an
-- adjustment that nobody has booked.
SELECT
    coalesce(p.user_id, j.user_id) AS user_id,
    coalesce(p.currency, j.currency) AS currency,
    CASE
        WHEN p.user_id IS NULL
            THEN format('adjustment %s was booked and has no posting', j.adjustment_id)
        WHEN j.user_id IS NULL
            THEN format('posting %s books adjustment %s, which nobody booked', p.version, p.key)
        ELSE
            format(
                'adjustment %s of %s %s was booked as %s %s',
                j.adjustment_id, j.amount, j.currency, p.change, p.currency
            )
    END AS detail
FROM (
    SELECT
        user_id,
        currency,
        version,
        key,
        CASE
            WHEN debit = 'adjustment' AND credit = 'available' THEN amount
            WHEN debit = 'available' AND credit = 'adjustment' THEN -amount
        END AS change
    FROM public.postings
    WHERE source = 'adjustments' OR 'adjustment' IN (debit, credit)
) AS p
FULL JOIN (
    SELECT
        user_id,
        currency,
        adjustment_id,
        amount
    FROM public.adjustments
    WHERE state = 'booked'
) AS j ON p.user_id = j.user_id AND p.key = j.adjustment_id::text
WHERE p.change IS DISTINCT FROM j.amount OR p.currency IS DISTINCT FROM j.currency
ORDER BY 1, 2, 3
LIMIT 100
