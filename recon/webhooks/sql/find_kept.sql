-- $1 endpoints, $2 event ids, in parallel: those that the inbox has.
SELECT
    d.endpoint,
    d.event_id,
    d.delivery_id,
    d.content_sha256
FROM unnest($1::text[], $2::text[]) AS a (endpoint, event_id)
INNER JOIN deliveries AS d ON a.endpoint = d.endpoint AND a.event_id = d.event_id
