-- $1 channel, $2 for how long. No row back: somebody else sends through it, or it is disabled. A
-- lease of more than that, or a wait longer than any, is of a clock that was ahead for a while.
UPDATE alert_channels
SET fence = fence + 1, held_until = clock_timestamp() + $2::interval
WHERE
    channel = $1
    AND disabled_at IS NULL
    AND held_until NOT BETWEEN clock_timestamp() AND clock_timestamp() + $2::interval
    AND EXISTS (
        SELECT
        FROM alert_deliveries AS d
        WHERE
            d.channel = $1
            AND d.state = 'pending'
            AND d.next_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '27 hours'
    )
RETURNING fence
