-- As in insert_discrepancy.sql; seen again by run $20, possibly with another difference.
UPDATE discrepancies
SET
    severity = $4,
    cause = $5,
    ledger_available = $6,
    ledger_held = $7,
    ledger_reserved = $8,
    ledger_version = $9,
    game_available = $10,
    game_held = $11,
    game_as_of = $12,
    difference = $13,
    held_difference = $14,
    explained = $15,
    unexplained = $16,
    evidence = $17,
    looked_at = $18,
    first_seen_at = least(first_seen_at, $19),
    last_seen_at = clock_timestamp(),
    occurrences = occurrences + 1,
    last_run_id = $20
WHERE user_id = $1 AND discrepancy_id = $2 AND currency = $3
