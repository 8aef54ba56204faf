-- Jobs by what they are: how many wait, how many are under way, how long the first of those that
-- are due has waited. With them (job null) how long ago anything of the schedule was last done by
-- any worker, null: never; and how many jobs were given up.
SELECT
    q.entrypoint AS job,
    count(*) FILTER (WHERE q.status = 'queued') AS queued,
    count(*) FILTER (WHERE q.status = 'picked') AS running,
    coalesce(
        extract(
            EPOCH FROM clock_timestamp() - min(q.execute_after) FILTER (
                WHERE q.status = 'queued' AND q.execute_after <= clock_timestamp()
            )
        ),
        0
    )::float8 AS oldest_s,
    NULL::float8 AS tick_age_s,
    NULL::bigint AS parked
FROM pgqueuer AS q
WHERE q.status IN ('queued', 'picked')
GROUP BY q.entrypoint
UNION ALL
SELECT
    NULL,
    0,
    0,
    0,
    (
        SELECT extract(EPOCH FROM clock_timestamp() - max(s.last_run))::float8
        FROM pgqueuer_schedules AS s
    ),
    (SELECT count(*) FROM job_starts AS j WHERE j.parked_at IS NOT NULL)
