-- $1 run, $2 user, $3 discrepancy, $4 how it stands against what was known before.
INSERT INTO run_discrepancies (
    run_id, user_id, discrepancy_id, currency, standing, difference, explained, unexplained,
    available_difference, ledger_version, ledger_available, ledger_held, game_available, game_held
)
SELECT
    $1,
    d.user_id,
    d.discrepancy_id,
    d.currency,
    $4,
    d.difference,
    d.explained,
    d.unexplained,
    d.available_difference,
    d.ledger_version,
    d.ledger_available,
    d.ledger_held,
    d.game_available,
    d.game_held
FROM discrepancies AS d
WHERE d.user_id = $2 AND d.discrepancy_id = $3
ON CONFLICT DO NOTHING
