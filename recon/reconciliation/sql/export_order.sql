-- $1..$7 and $9..$14 as in discrepancies.sql, $8 as many at most, $15 sort (see discrepancy_key).
-- Which match, sixteen bytes for each id, in the order in which pages list them: largest first.
-- Turned it is the other way round.
SELECT
    string_agg(
        uuid_send(m.discrepancy_id),
        ''::bytea
        ORDER BY
            m.key DESC, -- turns
            m.discrepancy_id DESC -- turns
    ) AS ids
FROM (
    SELECT
        d.discrepancy_id,
        discrepancy_key($15, d.difference, d.unexplained, d.exponent, d.severity) AS key
    FROM
        matching_discrepancies(
            $1, $2, $5, $3, $4, $9, $10, $11, $12, $13, $6, $14, $7
        ) AS d
    LIMIT $8 -- noqa: AM09
) AS m
