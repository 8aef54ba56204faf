-- $1 run, $2 scope, $3 trigger, $4 users (null unless the scope is users), $5 dry run. No row:
-- there is such a run already. It compares what changed since a minute before the last run that
-- looked at all changes began: a posting may be committed a little after the instant it carries.
INSERT INTO runs (run_id, scope, trigger, users, dry_run, state, since)
VALUES (
    $1, $2, $3, $4, $5, 'running',
    (
        SELECT max(r.started_at) - interval '1 minute'
        FROM runs AS r
        WHERE
            r.scope <> 'users'
            AND NOT r.dry_run
            AND r.state IN ('finished', 'incomplete')
            AND NOT r.cut_short
            -- Not what a clock that was far ahead for a while has begun.
            AND r.started_at <= clock_timestamp() + interval '5 minutes'
    )
)
ON CONFLICT (run_id) DO NOTHING
RETURNING since
