-- $1 after how long, $2 the channels in the settings. What could not be delivered by then never
-- will be, whatever the reason: the receiver, or a channel that is no longer set. What is due is
-- tried first: it may be that nobody was there to try it.
UPDATE alert_deliveries AS d
SET
    state = 'given_up',
    ended_at = clock_timestamp(),
    last_error = coalesce(d.last_error, 'it was never tried')
FROM alerts AS a
WHERE
    d.state = 'pending'
    AND a.alert_id = d.alert_id
    AND a.created_at < clock_timestamp() - $1::interval
    AND (d.next_at > clock_timestamp() OR d.channel <> all($2::text[]))
RETURNING
    d.alert_id,
    d.channel,
    d.attempts,
    d.last_error
