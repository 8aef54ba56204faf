-- $1 user, $2 currency, $3 only versions below this (null: from the newest), $4 how many,
-- $5 only postings recorded until this instant (null: all). Newest first. As recorded_at rises with
-- the version, the last one until then is found by halving the versions, as in wallet_at.sql.
-- Turned it is the other way round, and before is after.
WITH RECURSIVE halves AS (
    SELECT
        0::bigint AS low,
        version AS high
    FROM wallets
    WHERE user_id = $1 AND currency = $2 AND $5::timestamptz IS NOT NULL
    UNION ALL
    SELECT
        CASE WHEN m.recorded_at <= $5 THEN m.version ELSE h.low END AS low,
        CASE WHEN m.recorded_at <= $5 THEN h.high ELSE m.version - 1 END AS high
    FROM halves AS h
    INNER JOIN postings AS m
        ON m.user_id = $1 AND m.currency = $2 AND m.version = (h.low + h.high + 1) / 2
    WHERE h.low < h.high
)

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
    AND ($3::bigint IS NULL OR version < $3) -- turns
    AND version <= coalesce(
        (SELECT h.low FROM halves AS h WHERE h.low = h.high), 9223372036854775807
    )
ORDER BY version DESC -- turns
LIMIT $4
