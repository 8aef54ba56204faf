-- $1 stream.
SELECT
    held_since,
    connected_at,
    heard_at,
    failure,
    held_until >= clock_timestamp() AS is_held
FROM stream_holders
WHERE stream = $1
