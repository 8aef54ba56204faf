-- $1 endpoint, $2 ids of events that the PSP's API lists. Those that the inbox has not.
SELECT a.event_id
FROM unnest($2::text[]) AS a (event_id)
WHERE NOT EXISTS (
    SELECT FROM deliveries AS d
    WHERE d.endpoint = $1 AND d.event_id = a.event_id
)
