-- $1 users, $2 currencies, in parallel: their last look was no agreement. Locks the rows, also
-- those that say so already: a wallet's check is locked before its discrepancy, by everybody.
INSERT INTO checks AS c (user_id, currency, checked_at, unsettled)
SELECT
    a.user_id,
    a.currency,
    clock_timestamp(),
    true
FROM unnest($1::text[], $2::text[]) AS a (user_id, currency)
ORDER BY a.user_id, a.currency
ON CONFLICT (user_id, currency) DO UPDATE
    SET checked_at = excluded.checked_at, unsettled = true
    WHERE NOT c.unsettled
