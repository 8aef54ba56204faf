-- $1 who looks, as histories name them. What the navigation counts, of each at most a thousand: it
-- stands on every page, and a thousand says as much as a million.
SELECT
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM discrepancies
            WHERE status IN ('open', 'investigating', 'awaiting_approval')
            LIMIT 1000 -- noqa: AM09
        ) AS counted
    ) AS open_rows,
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM adjustments
            WHERE state = 'proposed' AND proposed_by <> $1
            UNION ALL
            SELECT 1
            FROM bet_rulings
            WHERE state = 'proposed' AND proposed_by <> $1
            LIMIT 1000 -- noqa: AM09
        ) AS counted
    ) AS waiting
