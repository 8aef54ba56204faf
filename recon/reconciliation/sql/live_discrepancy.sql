-- $1 user, $2 currency. The wallet's discrepancy that is still alive, locked.
SELECT
    discrepancy_id,
    status,
    difference,
    held_difference,
    cause
FROM discrepancies
WHERE
    user_id = $1
    AND currency = $2
    AND status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
FOR NO KEY UPDATE
