-- Discrepancies that people still have to deal with, by currency: how many, the sizes of their
-- differences and of what of them nothing explains in major units, and since when the oldest has
-- been unexplained. From what was added up as it changed, and the first of an index: it takes as
-- long for a million as for a hundred.
SELECT
    t.currency,
    sum(t.discrepancies)::bigint AS discrepancies,
    sum(t.gross) * power(10::numeric, -c.exponent) AS amount,
    sum(t.unexplained) * power(10::numeric, -c.exponent) AS unexplained,
    coalesce(
        extract(
            EPOCH FROM clock_timestamp() - (
                SELECT d.unexplained_since
                FROM discrepancies AS d
                WHERE
                    d.currency = t.currency
                    AND d.unexplained <> 0
                    AND d.status IN ('open', 'investigating', 'awaiting_approval')
                ORDER BY d.unexplained_since
                LIMIT 1
            )
        ),
        0
    )::float8 AS oldest_unexplained_s
FROM discrepancy_tallies AS t
INNER JOIN currencies AS c ON t.currency = c.code
GROUP BY t.currency, c.exponent
