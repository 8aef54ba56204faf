-- Everything that was booked, wallet by wallet in order; a posting of a bet has the key
-- `<bet>:<step>`.
SELECT
    user_id,
    currency,
    kind,
    source,
    key,
    amount,
    recorded_at,
    available_after,
    held_after
FROM postings
ORDER BY user_id, currency, version
