-- $1 channels, $2 hashes of where they lead, in parallel. One that leads elsewhere than before
-- begins anew; one that does not is left as it is.
INSERT INTO alert_channels AS c (channel, target)
SELECT
    n.channel,
    n.target
FROM unnest($1::text[], $2::text[]) AS n (channel, target)
ON CONFLICT (channel) DO UPDATE
    SET target = excluded.target, disabled_at = NULL, disabled_reason = NULL
    WHERE c.target <> excluded.target
