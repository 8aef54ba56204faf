-- $1 a member of staff, $2 as histories name them. What is assigned to them, and what others have
-- proposed.
SELECT
    (
        SELECT count(*)
        FROM discrepancies
        WHERE assignee = $1 AND status IN ('open', 'investigating', 'awaiting_approval')
    ) AS assigned,
    (
        SELECT count(*)
        FROM adjustments
        WHERE state = 'proposed' AND proposed_by <> $2
    ) + (
        SELECT count(*)
        FROM bet_rulings
        WHERE state = 'proposed' AND proposed_by <> $2
    ) AS proposed
