-- Postings whose balances-after do not follow from the posting before.
WITH stepped AS (
    SELECT
        user_id,
        currency,
        version,
        amount,
        recorded_at,
        available_after,
        held_after,
        reserved_after,
        lag(recorded_at) OVER wallet AS recorded_before,
        coalesce(lag(available_after) OVER wallet, 0)
        + CASE 'available' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END AS available,
        coalesce(lag(held_after) OVER wallet, 0)
        + CASE 'held' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END AS held,
        coalesce(lag(reserved_after) OVER wallet, 0)
        + CASE 'reserved' WHEN credit THEN amount WHEN debit THEN -amount ELSE 0 END AS reserved
    FROM public.postings
    WINDOW wallet AS (PARTITION BY user_id, currency ORDER BY version)
)

SELECT
    user_id,
    currency,
    version,
    format(
        'the row says %s/%s/%s, the one before it makes %s/%s/%s',
        available_after, held_after, reserved_after, available, held, reserved
    ) AS detail
FROM stepped
WHERE
    (available_after, held_after, reserved_after) IS DISTINCT FROM (available, held, reserved)
    OR recorded_at < recorded_before
    OR amount = 'NaN'
ORDER BY 1, 2, 3
LIMIT 100
