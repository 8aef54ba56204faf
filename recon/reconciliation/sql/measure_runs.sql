-- $1 scopes. How long ago the last run of each ended well, dry ones aside; where none ever has, how
-- long ago the first run of any scope began (null: there was none); and how long the oldest run of
-- it that is under way has been.
SELECT
    s.scope,
    extract(
        EPOCH FROM clock_timestamp() - coalesce(
            (
                SELECT r.finished_at
                FROM runs AS r
                WHERE r.scope = s.scope AND r.state = 'finished' AND NOT r.dry_run
                ORDER BY r.started_at DESC
                LIMIT 1
            ),
            (SELECT min(r.started_at) FROM runs AS r)
        )
    )::float8 AS success_age_s,
    (
        SELECT extract(EPOCH FROM clock_timestamp() - min(r.started_at))::float8
        FROM runs AS r
        WHERE r.scope = s.scope AND r.state = 'running'
    ) AS running_s
FROM unnest($1::text[]) AS s (scope)
