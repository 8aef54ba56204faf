-- $1 older than this. A caller's key is remembered for as long as answers are kept.
DELETE FROM api_requests
WHERE started_at < $1
