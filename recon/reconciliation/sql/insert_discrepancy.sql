-- $1 user, $2 id, $3 currency, $4 severity, $5 cause, $6..$9 ledger's available, held, reserved and
-- version, $10 and $11 the game's available and held, $12 as of, $13 available and $14 held
-- difference (the first is shown where there is one, else the second), $15 explained, $16
-- unexplained, $17 evidence, $18 what was looked at, $19 since when, $20 run, $21 confidence, $22
-- alternatives, $23 root and $24 when.
INSERT INTO discrepancies (
    user_id, discrepancy_id, currency, exponent, status, severity, cause,
    ledger_available, ledger_held, ledger_reserved, ledger_version,
    game_available, game_held, game_as_of, available_difference, held_difference, difference,
    explained, unexplained, evidence, looked_at, first_seen_at, last_seen_at, first_run_id,
    last_run_id, confidence, alternatives, root, root_at, unexplained_since
)
VALUES (
    $1, $2, $3, (SELECT c.exponent FROM currencies AS c WHERE c.code = $3),
    'open', $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
    coalesce(nullif($13::numeric, 0), $14::numeric), $15, $16, $17, $18, $19,
    clock_timestamp(), $20, $20, $21, $22, $23, $24,
    CASE WHEN $16::numeric <> 0 THEN $19::timestamptz END
)
RETURNING status
