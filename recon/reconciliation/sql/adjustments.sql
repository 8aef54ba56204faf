-- $1 state, $2 discrepancy (each null: any), $3 only those before this one (null: from the first),
-- $4 how many, $5 sort: by the size of the amount, in whole units of its currency, or by id, which
-- is by age. Largest, or newest, first.
-- Turned it is the other way round, and before is after.
SELECT j.* -- noqa: AM04
FROM adjustments_now() AS j
INNER JOIN currencies AS c ON j.currency = c.code
CROSS JOIN
    LATERAL (
        SELECT
            CASE $5::text
                WHEN 'amount' THEN abs(j.amount) * power(10::numeric, -c.exponent)
                ELSE 0::numeric
            END AS key
    ) AS k
WHERE
    ($1::text IS NULL OR j.state = $1)
    AND ($2::uuid IS NULL OR j.discrepancy_id = $2)
    AND (
        $3::uuid IS NULL
        OR CASE $5
            WHEN 'amount'
                THEN (k.key, j.adjustment_id) < ( -- turns
                    SELECT
                        abs(b.amount) * power(10::numeric, -e.exponent),
                        b.adjustment_id
                    FROM adjustments AS b
                    INNER JOIN currencies AS e ON b.currency = e.code
                    WHERE b.adjustment_id = $3
                )
            ELSE j.adjustment_id < $3 -- turns
        END
    )
ORDER BY
    k.key DESC, -- turns
    j.adjustment_id DESC -- turns
LIMIT $4
