-- What the clock asks for and fails: how often, and since when. Not what nobody tries any more, as
-- what a setting has turned off: its next time stands still in the past.
SELECT
    f.tick,
    f.failures,
    extract(EPOCH FROM clock_timestamp() - f.failing_since)::float8 AS failing_s
FROM tick_failures AS f
WHERE
    EXISTS (
        SELECT
        FROM pgqueuer_schedules AS s
        WHERE s.entrypoint = f.tick AND s.next_run > clock_timestamp() - interval '1 hour'
    )
