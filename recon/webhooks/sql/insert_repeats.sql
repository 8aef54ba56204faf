-- $1..$7 one array per column, all of one length.
INSERT INTO delivery_repeats (
    endpoint, event_id, repeat_id, received_at, body_sha256, same_bytes, body
)
SELECT
    endpoint,
    event_id,
    repeat_id,
    received_at,
    body_sha256,
    same_bytes,
    body
FROM
    unnest(
        $1::text[], $2::text[], $3::uuid[], $4::timestamptz[], $5::bytea[], $6::boolean[],
        $7::bytea[]
    ) AS r (endpoint, event_id, repeat_id, received_at, body_sha256, same_bytes, body)
