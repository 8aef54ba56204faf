-- $1 endpoint, $2 who, $3 for how long, $4 only when the last try is so long ago (null: at once).
-- No row back: somebody else lists its events now, or it is not due. Asked every second, so that
-- nothing is written, or locked, before it is.
INSERT INTO backfills AS b (endpoint, held_by, held_until)
SELECT
    $1,
    $2,
    clock_timestamp() + $3::interval
WHERE
    NOT EXISTS (
        SELECT FROM backfills AS k
        WHERE
            k.endpoint = $1
            AND (
                k.held_until >= clock_timestamp()
                OR k.started_at >= clock_timestamp() - $4::interval
            )
    )
ON CONFLICT (endpoint) DO UPDATE
    SET
        held_by = excluded.held_by,
        held_until = excluded.held_until,
        started_at = clock_timestamp()
    WHERE
    b.held_until < clock_timestamp()
    AND ($4::interval IS NULL OR b.started_at < clock_timestamp() - $4::interval)
RETURNING listed_until
