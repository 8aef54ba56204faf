-- $1 causes, $2 currency, $3 first seen from, $4 first seen before, both by the minute, $5 whether
-- a part is unexplained (each null: any). What such discrepancies that people still have to deal
-- with come to, by currency and cause; from what was added up as they changed.
SELECT
    t.currency,
    t.cause,
    sum(t.discrepancies)::bigint AS rows,
    -- Of the sum of all differences and that of their sizes.
    (sum(t.gross) + sum(t.net)) / 2 AS above,
    (sum(t.net) - sum(t.gross)) / 2 AS below,
    sum(t.net) AS net,
    sum(t.unexplained) AS unexplained
FROM discrepancy_tallies AS t
WHERE
    ($1::text[] IS NULL OR t.cause = any($1))
    AND ($2::text IS NULL OR t.currency = $2)
    AND ($3::timestamptz IS NULL OR t.seen_at >= $3)
    AND ($4::timestamptz IS NULL OR t.seen_at < $4)
    AND ($5::boolean IS NULL OR t.is_unexplained = $5)
GROUP BY t.currency, t.cause
HAVING sum(t.discrepancies) <> 0
ORDER BY t.currency, t.cause
