-- $1 deliveries that have found their place; an event id that came with other bytes stays a case.
UPDATE cases
SET state = 'closed', closed_at = clock_timestamp()
WHERE delivery_id = any($1::uuid[]) AND state = 'open' AND kind <> 'event_id_reused'
