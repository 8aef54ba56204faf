-- $1 stream, $2 who, $3 for how long. No row back: somebody else holds it. Asked every second, so
-- that nothing is written, or locked, while somebody does.
INSERT INTO stream_holders AS h (stream, held_by, held_until)
SELECT
    $1,
    $2,
    clock_timestamp() + $3::interval
WHERE
    NOT EXISTS (
        SELECT FROM stream_holders AS k
        WHERE k.stream = $1 AND k.held_until >= clock_timestamp()
    )
ON CONFLICT (stream) DO UPDATE
    SET
        held_by = excluded.held_by,
        held_since = clock_timestamp(),
        held_until = excluded.held_until,
        connected_at = NULL
    WHERE h.held_until < clock_timestamp()
RETURNING stream
