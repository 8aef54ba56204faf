-- $1 run, $2 user, $3 discrepancy, $4 how it stands against what was known before.
INSERT INTO run_discrepancies (
    run_id, user_id, discrepancy_id, currency, standing, difference, explained, unexplained
)
SELECT
    $1,
    d.user_id,
    d.discrepancy_id,
    d.currency,
    $4,
    d.difference,
    d.explained,
    d.unexplained
FROM discrepancies AS d
WHERE d.user_id = $2 AND d.discrepancy_id = $3
ON CONFLICT DO NOTHING
