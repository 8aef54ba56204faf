-- Discrepancies that stand otherwise than their history says. What counts is the last step that
-- says how they stand; steps a quarter of an hour apart may have changed places, where a clock was
-- put back between them. Whether somebody is at an open one is no matter.
SELECT
    d.user_id,
    d.currency,
    format(
        'discrepancy %s is %s, and its history ends with %s',
        d.discrepancy_id, d.status, coalesce(h.said[1], 'nothing')
    ) AS detail
FROM public.discrepancies AS d
LEFT JOIN (
    SELECT
        s.user_id,
        s.discrepancy_id,
        array_agg(s.said ORDER BY s.at DESC, s.event_id DESC) FILTER (
            WHERE s.at >= s.last_at - interval '15 minutes'
        ) AS said
    FROM (
        SELECT
            e.user_id,
            e.discrepancy_id,
            e.event_id,
            e.at,
            max(e.at) OVER (PARTITION BY e.user_id, e.discrepancy_id) AS last_at,
            CASE
                WHEN e.detail ? 'after' THEN e.detail #>> '{after,status}'
                WHEN e.action IN ('resolved', 'cleared') THEN e.action
                ELSE 'open'
            END AS said
        FROM public.discrepancy_events AS e
        WHERE
            e.detail ? 'after'
            OR e.action IN ('opened', 'reopened', 'adjustment_stale', 'resolved', 'cleared')
    ) AS s
    GROUP BY s.user_id, s.discrepancy_id
) AS h ON d.user_id = h.user_id AND d.discrepancy_id = h.discrepancy_id
WHERE
    NOT coalesce(d.status = any(h.said), false)
    AND NOT (
        d.status IN ('open', 'investigating')
        AND coalesce(h.said && ARRAY['open', 'investigating'], false)
    )
ORDER BY d.user_id, d.currency, d.discrepancy_id
LIMIT 100
