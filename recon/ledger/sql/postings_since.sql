-- $1 user, $2 currency, $3 only versions above this, $4 how many at most. Newest first.
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
WHERE user_id = $1 AND currency = $2 AND version > $3
ORDER BY version DESC
LIMIT $4
