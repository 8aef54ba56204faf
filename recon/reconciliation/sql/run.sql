-- $1 run.
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
    healed,
    forgotten_at
FROM runs
WHERE run_id = $1
