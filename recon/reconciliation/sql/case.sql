-- $1 discrepancy. What a review may change of it, locked, and what it was found to be.
SELECT
    user_id,
    currency,
    status,
    assignee,
    ignored_until,
    difference,
    available_difference,
    ledger_available,
    game_available
FROM discrepancies
WHERE discrepancy_id = $1
FOR NO KEY UPDATE
