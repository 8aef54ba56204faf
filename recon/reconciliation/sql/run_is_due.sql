-- $1 the schedule's period. Whether a scheduled run is due: none is running, and the last one
-- started at least that long ago.
SELECT NOT EXISTS (
    SELECT
    FROM runs
    WHERE
        trigger = 'schedule'
        AND (state = 'running' OR started_at > clock_timestamp() - $1::interval)
)
