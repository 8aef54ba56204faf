-- $1 user, $2 currency, $3 only versions below this (null: from the newest), $4 how many,
-- $5 only postings recorded until this instant (null: all). Newest first.
SELECT
    user_id,
    currency,
    version,
    debit,
    credit,
    amount,
    kind,
    source,
    key,
    hold_id,
    event_at,
    recorded_at,
    available_after,
    held_after,
    reserved_after
FROM postings
WHERE
    user_id = $1
    AND currency = $2
    AND ($3::bigint IS NULL OR version < $3)
    AND ($5::timestamptz IS NULL OR recorded_at <= $5)
ORDER BY version DESC
LIMIT $4
