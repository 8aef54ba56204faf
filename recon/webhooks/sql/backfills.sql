-- How far each endpoint's events were compared with the inbox, and the age of the last comparison
-- that was completed, else of the first that was tried.
SELECT
    endpoint,
    listed_until,
    started_at,
    completed_at,
    failed_at,
    failure,
    events,
    extract(EPOCH FROM clock_timestamp() - completed_at)::float8 AS age_s
FROM backfills
ORDER BY endpoint
