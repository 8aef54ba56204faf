-- $1 statuses, $2 causes, $3 currency, $4 user, $5 run that saw them, $6 run that opened
-- them, $7 assignee, $8 first seen from, $9 first seen before, $10 start of an id, or a
-- fact's whole id, $11 incident, $12 whether a part is unexplained (each null: any), $13 sort,
-- as discrepancy_key takes it, $14 key and $15 id of the last row (null: from the start), $16 how
-- many. Largest first.
-- Turned it is the other way round, and before is after.
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
        SELECT discrepancy_key($13, d.difference, d.unexplained, d.exponent, d.severity) AS key
    ) AS k
WHERE
    (
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
