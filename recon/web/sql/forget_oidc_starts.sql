-- $1 for how long one may be at the provider. Those that come back no more.
DELETE FROM oidc_starts
WHERE started_at < clock_timestamp() - $1::interval
