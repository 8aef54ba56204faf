-- $1 user, $2 currency. The wallet's discrepancy that people still have to deal with.
SELECT
    discrepancy_id,
    difference
FROM discrepancies
WHERE user_id = $1 AND currency = $2 AND status IN ('open', 'investigating', 'awaiting_approval')
