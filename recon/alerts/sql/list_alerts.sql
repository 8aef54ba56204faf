-- $1 only messages before this one (null: from the newest), $2 only with a delivery in this state
-- (null: any), $3 how many. Newest first, each with its deliveries.
SELECT
    a.alert_id,
    a.type,
    a.payload,
    a.created_at,
    coalesce(
        (
            SELECT
                jsonb_agg(
                    jsonb_build_object(
                        'channel', d.channel,
                        'state', d.state,
                        'attempts', d.attempts,
                        'last_error', d.last_error,
                        'next_at',
                        to_char(
                            CASE WHEN d.state = 'pending' THEN d.next_at END AT TIME ZONE 'UTC',
                            'YYYY-MM-DD"T"HH24:MI:SS"Z"'
                        ),
                        'ended_at',
                        to_char(d.ended_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
                    )
                    ORDER BY d.channel
                )
            FROM alert_deliveries AS d
            WHERE d.alert_id = a.alert_id
        ),
        '[]'
    ) AS deliveries
FROM alerts AS a
WHERE
    ($1::uuid IS NULL OR a.alert_id < $1)
    AND (
        $2::text IS NULL
        OR EXISTS (
            SELECT
            FROM alert_deliveries AS d
            WHERE d.alert_id = a.alert_id AND d.state = $2
        )
    )
ORDER BY a.alert_id DESC
LIMIT $3
