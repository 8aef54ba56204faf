-- $1 run, $2 users and $3 discrepancies; of each, as it was compared, $4 the ledger's version, $5
-- what the ledger had available and $6 held, $7 what the game had available and $8 held. All but
-- the first in parallel. The run found that these agree.
INSERT INTO run_discrepancies (
    run_id, user_id, discrepancy_id, currency, standing, difference, explained, unexplained,
    available_difference, ledger_version, ledger_available, ledger_held, game_available, game_held
)
SELECT
    $1,
    d.user_id,
    d.discrepancy_id,
    d.currency,
    'healed',
    0,
    0,
    0,
    0,
    h.ledger_version,
    h.ledger_available,
    h.ledger_held,
    h.game_available,
    h.game_held
FROM
    unnest(
        $2::text[],
        $3::uuid[],
        $4::bigint[],
        $5::numeric[],
        $6::numeric[],
        $7::numeric[],
        $8::numeric[]
    )
        AS h (
            user_id,
            discrepancy_id,
            ledger_version,
            ledger_available,
            ledger_held,
            game_available,
            game_held
        )
INNER JOIN discrepancies AS d ON h.user_id = d.user_id AND h.discrepancy_id = d.discrepancy_id
ON CONFLICT DO NOTHING
