-- How each channel stands that ever was in the settings; what was given up counts for a week.
SELECT
    c.channel,
    c.disabled_at,
    c.disabled_reason,
    p.pending,
    p.oldest_s,
    p.last_error,
    g.given_up,
    s.sent_at
FROM alert_channels AS c
LEFT JOIN LATERAL (
    SELECT
        count(*) AS pending,
        extract(EPOCH FROM clock_timestamp() - min(a.created_at))::bigint AS oldest_s,
        max(d.last_error) AS last_error
    FROM alert_deliveries AS d
    INNER JOIN alerts AS a ON d.alert_id = a.alert_id
    WHERE d.channel = c.channel AND d.state = 'pending'
) AS p ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS given_up
    FROM alert_deliveries AS d
    INNER JOIN alerts AS a ON d.alert_id = a.alert_id
    WHERE
        d.channel = c.channel
        AND d.state = 'given_up'
        AND a.created_at > clock_timestamp() - interval '7 days'
) AS g ON true
LEFT JOIN LATERAL (
    SELECT max(d.ended_at) AS sent_at
    FROM alert_deliveries AS d
    WHERE d.channel = c.channel AND d.state = 'sent'
) AS s ON true
ORDER BY c.channel
