-- $1 channel, $2 fence, $3 for how long it is held from now, $4 only messages after this one. The
-- oldest message that is due (as in take_channel.sql), its attempt counted. No row: there is none,
-- or the channel is held by somebody else. Should its sender die now, it is due again as soon as
-- the lease has ended.
WITH held AS (
    UPDATE alert_channels
    SET held_until = clock_timestamp() + $3::interval
    WHERE channel = $1 AND fence = $2 AND disabled_at IS NULL
    RETURNING channel
),

due AS (
    SELECT d.alert_id
    FROM alert_deliveries AS d
    INNER JOIN held ON d.channel = held.channel
    WHERE
        d.state = 'pending'
        AND d.next_at NOT BETWEEN clock_timestamp() AND clock_timestamp() + interval '27 hours'
        AND d.alert_id > $4
    ORDER BY d.alert_id
    LIMIT 1
)

UPDATE alert_deliveries AS d
SET attempts = d.attempts + 1
FROM due, alerts AS a
WHERE d.alert_id = due.alert_id AND d.channel = $1 AND a.alert_id = due.alert_id
RETURNING
    d.alert_id,
    d.attempts,
    a.type,
    a.payload,
    a.created_at
