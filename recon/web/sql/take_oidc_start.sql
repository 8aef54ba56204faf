-- $1 hash of the browser's token, $2 for how long one may be at the provider. No row: it was never
-- begun, is too old, or has come back before.
DELETE FROM oidc_starts
WHERE start_hash = $1 AND started_at > clock_timestamp() - $2::interval
RETURNING wanted
