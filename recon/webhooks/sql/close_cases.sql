-- $1 deliveries that wait no longer, $2 those of them that have found their place; an event id that
-- came with other bytes stays a case.
UPDATE cases
SET state = 'closed', closed_at = clock_timestamp()
WHERE
    delivery_id = any($1::uuid[])
    AND state = 'open'
    AND (
        kind = 'waiting_too_long'
        OR (kind <> 'event_id_reused' AND delivery_id = any($2::uuid[]))
    )
