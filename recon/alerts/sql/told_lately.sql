-- $1 type, $2 how long. How many messages of that type there were in the time before now.
SELECT count(*)
FROM alerts
WHERE type = $1 AND created_at > clock_timestamp() - $2::interval
