-- $1 discrepancy. What a review may change of it, locked.
SELECT
    user_id,
    currency,
    status,
    assignee,
    ignored_until
FROM discrepancies
WHERE discrepancy_id = $1
FOR NO KEY UPDATE
