-- $1 user, $2 currency, $3 instant. The balances after the last posting recorded until then.
SELECT
    available_after AS available,
    held_after AS held,
    reserved_after AS reserved,
    version,
    $3::timestamptz AS as_of
FROM postings
WHERE user_id = $1 AND currency = $2 AND recorded_at <= $3
ORDER BY version DESC
LIMIT 1
