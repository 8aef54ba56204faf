-- $1 type, $2 the least time between two messages of it. How many messages keep the next one
-- waiting: each for as long as the trouble had lasted when it was written, so that a night of it
-- makes a few messages and not a hundred; for a day at most. Trouble is every bad run since the
-- last good one of its scope.
WITH trouble AS (
    SELECT min(r.started_at) AS since
    FROM runs AS r
    WHERE
        r.started_at > clock_timestamp() - interval '30 days'
        AND r.state IN ('failed', 'incomplete')
        AND r.scope <> 'users'
        AND NOT r.dry_run
        AND NOT EXISTS (
            SELECT
            FROM runs AS g
            WHERE
                g.started_at > r.started_at
                AND g.scope = r.scope
                AND g.state = 'finished'
                AND NOT g.dry_run
        )
)

SELECT count(*)
FROM alerts AS a, trouble AS t
WHERE
    a.type = $1
    AND a.created_at <= clock_timestamp()
    AND a.created_at > clock_timestamp() - greatest(
        $2::interval,
        CASE
            WHEN t.since < a.created_at
                THEN least(a.created_at - t.since, interval '1 day')
        END
    )
