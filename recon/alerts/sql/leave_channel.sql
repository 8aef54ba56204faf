-- $1 channel, $2 fence. The next one need not wait for the end of the lease.
UPDATE alert_channels
SET held_until = '-infinity'
WHERE channel = $1 AND fence = $2
