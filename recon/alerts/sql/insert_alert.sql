-- $1 message, $2 type, $3 body, $4 channels that it goes to.
WITH made AS (
    INSERT INTO alerts (alert_id, type, payload)
    VALUES ($1, $2, $3)
    RETURNING alert_id
)

INSERT INTO alert_deliveries (alert_id, channel)
SELECT
    made.alert_id,
    n.channel
FROM made, unnest($4::text[]) AS n (channel)
