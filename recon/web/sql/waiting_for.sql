-- $1 a member of staff, $2 as histories name them, $3 where to stop counting each. What is assigned
-- to them, and what others have proposed.
SELECT
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM discrepancies
            WHERE assignee = $1 AND status IN ('open', 'investigating', 'awaiting_approval')
            LIMIT $3 -- noqa: AM09
        ) AS d
    ) AS assigned,
    (
        SELECT count(*)
        FROM (
            SELECT 1
            FROM adjustments
            WHERE state = 'proposed' AND proposed_by <> $2
            UNION ALL
            SELECT 1
            FROM bet_rulings
            WHERE state = 'proposed' AND proposed_by <> $2
            LIMIT $3 -- noqa: AM09
        ) AS p
    ) AS proposed
