-- $1 channels. Those of them that nothing has disabled.
SELECT channel
FROM alert_channels
WHERE channel = any($1) AND disabled_at IS NULL
