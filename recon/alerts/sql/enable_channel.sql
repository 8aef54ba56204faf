-- $1 channel. No row back: it was not disabled.
UPDATE alert_channels
SET disabled_at = NULL, disabled_reason = NULL
WHERE channel = $1 AND disabled_at IS NOT NULL
RETURNING channel
