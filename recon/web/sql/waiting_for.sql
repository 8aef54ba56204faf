-- $1 a member of staff. What is assigned to them, and what others have proposed.
SELECT
    (
        SELECT count(*)
        FROM discrepancies
        WHERE assignee = $1 AND status IN ('open', 'investigating', 'awaiting_approval')
    ) AS assigned,
    (
        SELECT count(*)
        FROM adjustments
        WHERE state = 'proposed' AND proposed_by <> $1
    ) AS proposed
