-- $1 statuses, $2 causes, $3 currency, $4 user, $5 run that saw them, $6 run that opened them,
-- $7 assignee, $8 first seen from, $9 first seen before, $10 start of an id, or a fact's whole id,
-- $11 incident, $12 whether a part is unexplained (each null: any), $13 how many rows to add up at
-- most (null: all). What the filter comes to, by currency.
SELECT
    d.currency,
    count(*) AS rows,
    coalesce(sum(d.difference) FILTER (WHERE d.difference > 0), 0) AS above,
    coalesce(sum(d.difference) FILTER (WHERE d.difference < 0), 0) AS below,
    sum(d.difference) AS net,
    sum(abs(d.unexplained)) AS unexplained
FROM (
    SELECT
        d.currency,
        d.difference,
        d.unexplained
    FROM
        matching_discrepancies(
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL
        ) AS d
    LIMIT $13 -- noqa: AM09
) AS d
GROUP BY d.currency
ORDER BY d.currency
