-- How many discrepancies people still have to deal with.
SELECT count(*)
FROM discrepancies
WHERE status IN ('open', 'investigating', 'awaiting_approval')
