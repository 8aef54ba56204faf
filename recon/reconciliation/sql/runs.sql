-- $1 only runs before this one (null: from the first), $2 how many, $3 sort: by how long they took,
-- of which one that has not ended has the least, or by when they began. Longest, or newest, first.
-- Turned it is the other way round, and before is after.
SELECT
    r.run_id,
    r.state,
    r.scope,
    r.trigger,
    r.dry_run,
    r.reason,
    r.started_at,
    r.finished_at,
    r.total,
    r.compared,
    r.agreed,
    r.discrepant,
    r.in_flight,
    r.not_compared,
    r.opened,
    r.persisting,
    r.reopened,
    r.healed,
    r.forgotten_at
FROM runs AS r
CROSS JOIN
    LATERAL (
        SELECT
            CASE $3::text
                WHEN 'duration' THEN coalesce(extract(EPOCH FROM r.finished_at - r.started_at), -1)
                ELSE 0::numeric
            END AS key
    ) AS k
WHERE
    $1::uuid IS NULL
    OR CASE $3
        WHEN 'duration'
            THEN (k.key, r.started_at, r.run_id) < ( -- turns
                SELECT
                    coalesce(extract(EPOCH FROM b.finished_at - b.started_at), -1),
                    b.started_at,
                    b.run_id
                FROM runs AS b
                WHERE b.run_id = $1
            )
        ELSE (r.started_at, r.run_id) < ( -- turns
            SELECT
                b.started_at,
                b.run_id
            FROM runs AS b
            WHERE b.run_id = $1
        )
    END
ORDER BY
    k.key DESC, -- turns
    r.started_at DESC, -- turns
    r.run_id DESC -- turns
LIMIT $2
