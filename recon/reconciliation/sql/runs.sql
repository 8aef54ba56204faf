-- $1 only runs before this one (null: from the newest), $2 how many. Newest first.
SELECT
    run_id,
    state,
    scope,
    trigger,
    dry_run,
    reason,
    started_at,
    finished_at,
    total,
    compared,
    agreed,
    discrepant,
    in_flight,
    not_compared,
    opened,
    persisting,
    reopened,
    healed
FROM runs
WHERE
    $1::uuid IS NULL
    OR (started_at, run_id) < (
        SELECT
            b.started_at,
            b.run_id
        FROM runs AS b
        WHERE b.run_id = $1
    )
ORDER BY started_at DESC, run_id DESC
LIMIT $2
