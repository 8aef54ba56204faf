-- $1 message, $2 channel, $3 fence, $4 whether it arrived, $5 after how long it is tried again if
-- not, $6 what was answered. No row back: the channel is held by somebody else by now, who says
-- when it is tried again; that it arrived is true whoever says so.
UPDATE alert_deliveries AS d
SET
    state = CASE WHEN $4::boolean THEN 'sent' ELSE 'pending' END,
    ended_at = CASE WHEN $4::boolean THEN clock_timestamp() END,
    next_at = CASE
        WHEN $4::boolean THEN d.next_at
        ELSE clock_timestamp() + $5::interval
    END,
    last_error = $6
FROM alert_channels AS c
WHERE
    d.alert_id = $1
    AND d.channel = $2
    AND d.state = 'pending'
    AND c.channel = d.channel
    AND (c.fence = $3 OR $4::boolean)
RETURNING d.state
