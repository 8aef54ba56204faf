-- $1 scopes and $2 in parallel how often each runs by itself. A lane that is new, or runs at
-- another pace, is watched from now on; one that runs no more is not.
WITH gone AS (
    DELETE FROM alert_lanes
    WHERE scope <> all($1::text[])
)

INSERT INTO alert_lanes AS l (scope, every)
SELECT
    n.scope,
    n.every
FROM unnest($1::text[], $2::interval[]) AS n (scope, every)
ON CONFLICT (scope) DO UPDATE
    SET every = excluded.every, since = excluded.since
    WHERE l.every <> excluded.every
