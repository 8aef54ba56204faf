-- $1..$16 as in discrepancies_along.sql, where $2 and $3 are null; $17 causes and $18 currencies in
-- parallel: of each cause in each currency as many as a page may need, which lie side by side, and
-- of these the first. Largest first.
-- Turned it is the other way round, and before is after.
SELECT f.*
FROM unnest($17::text[], $18::text[]) AS c (cause, currency)
CROSS JOIN
    LATERAL (
        SELECT
            d.discrepancy_id,
            d.user_id,
            d.currency,
            d.status,
            d.severity,
            d.cause,
            d.ledger_available,
            d.game_available,
            d.available_difference,
            d.difference,
            d.unexplained,
            d.assignee,
            d.ignored_until,
            d.first_seen_at,
            d.last_seen_at,
            k.key
        FROM
            matching_discrepancies(
                $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL
            ) AS d
        CROSS JOIN
            LATERAL (
                SELECT
                    discrepancy_key(
                        $13, d.difference, d.unexplained, d.exponent, d.severity
                    ) AS key
            ) AS k
        WHERE
            d.cause = c.cause
            AND d.currency = c.currency
            AND (
                $15::uuid IS NULL
                OR (k.key, d.discrepancy_id) < ($14::numeric, $15) -- turns
            )
            -- Where a part of each is unexplained, that of none is zero: those are not walked past.
            AND ($12 IS NOT true OR $13 <> 'unexplained' OR k.key > 0)
            -- The same once more for the order by id, where the key is a constant.
            AND (
                $15::uuid IS NULL
                OR k.key <> $14::numeric
                OR d.discrepancy_id < $15 -- turns
            )
        ORDER BY
            k.key DESC, -- turns
            d.discrepancy_id DESC -- turns
        LIMIT $16
    ) AS f
ORDER BY
    f.key DESC, -- turns
    f.discrepancy_id DESC -- turns
LIMIT $16
