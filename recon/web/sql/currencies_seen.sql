-- Every currency in which people may look for discrepancies: one step along an index for each.
WITH RECURSIVE seen AS (
    SELECT min(d.currency) AS currency
    FROM discrepancies AS d
    UNION ALL
    SELECT
        (
            SELECT min(d.currency)
            FROM discrepancies AS d
            WHERE d.currency > s.currency
        )
    FROM seen AS s
    WHERE s.currency IS NOT NULL
)

SELECT currency
FROM seen
WHERE currency IS NOT NULL
ORDER BY currency
