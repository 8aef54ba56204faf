-- $1 older than this. The queue writes two log rows a job; what was parked is looked at by then.
WITH forgotten AS (
    DELETE FROM job_starts
    WHERE last_started_at < $1
),

untried AS (
    DELETE FROM tick_failures
    WHERE failed_at < $1
)

DELETE FROM pgqueuer_log
WHERE created < $1 AND aggregated
