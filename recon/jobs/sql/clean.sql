-- $1 older than this. The queue writes two log rows a job.
DELETE FROM pgqueuer_log
WHERE created < $1 AND aggregated
