-- $1 user, $2 currency, $3 $4 $5 only what was seen before this sighting: when, of which
-- discrepancy, by which run (null: from the newest), $6 only until this instant (null: all), $7 how
-- many. What runs saw of a wallet where it differed, and where it agreed again after that; newest
-- first.
-- Turned it is the other way round, and before is after.
SELECT
    s.seen_at,
    s.discrepancy_id,
    s.run_id,
    s.standing,
    s.difference,
    s.available_difference,
    s.ledger_version,
    s.ledger_available,
    s.ledger_held,
    s.game_available,
    s.game_held
FROM run_discrepancies AS s
WHERE
    s.user_id = $1
    AND s.currency = $2
    AND (
        $3::timestamptz IS NULL
        OR (s.seen_at, s.discrepancy_id, s.run_id) < ($3, $4::uuid, $5::uuid) -- turns
    )
    AND s.seen_at <= coalesce($6::timestamptz, 'infinity')
ORDER BY
    s.seen_at DESC, -- turns
    s.discrepancy_id DESC, -- turns
    s.run_id DESC -- turns
LIMIT $7
