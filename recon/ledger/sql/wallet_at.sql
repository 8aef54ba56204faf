-- $1 user, $2 currency, $3 instant. The balances after the last posting recorded until then. As
-- recorded_at rises with the version, halving the versions finds it in a few look-ups by key.
WITH RECURSIVE halves AS (
    SELECT
        0::bigint AS low,
        version AS high
    FROM wallets
    WHERE user_id = $1 AND currency = $2
    UNION ALL
    SELECT
        CASE WHEN m.recorded_at <= $3 THEN m.version ELSE h.low END AS low,
        CASE WHEN m.recorded_at <= $3 THEN h.high ELSE m.version - 1 END AS high
    FROM halves AS h
    INNER JOIN postings AS m
        ON m.user_id = $1 AND m.currency = $2 AND m.version = (h.low + h.high + 1) / 2
    WHERE h.low < h.high
)

SELECT
    p.available_after AS available,
    p.held_after AS held,
    p.reserved_after AS reserved,
    p.version,
    $3::timestamptz AS as_of
FROM halves AS h
INNER JOIN postings AS p
    ON p.user_id = $1 AND p.currency = $2 AND h.low = p.version
WHERE h.low = h.high
