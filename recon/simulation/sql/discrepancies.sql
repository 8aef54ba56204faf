-- Every discrepancy that was ever shown, as it was seen last.
SELECT
    user_id,
    status,
    cause,
    ledger_available,
    ledger_held,
    ledger_version,
    game_available,
    game_held,
    game_as_of,
    difference,
    held_difference,
    evidence,
    looked_at
FROM discrepancies
ORDER BY discrepancy_id
