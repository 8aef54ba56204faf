-- $1 channel, $2 fence, $3 why. What waited for it is given up: the receiver wants none of it. How
-- many messages that were.
WITH disabled AS (
    UPDATE alert_channels
    SET disabled_at = clock_timestamp(), disabled_reason = $3
    WHERE channel = $1 AND fence = $2 AND disabled_at IS NULL
    RETURNING channel
),

given_up AS (
    UPDATE alert_deliveries AS d
    SET state = 'given_up', last_error = $3, ended_at = clock_timestamp()
    FROM disabled
    WHERE d.channel = disabled.channel AND d.state = 'pending'
    RETURNING d.alert_id
)

SELECT count(*) FROM given_up
