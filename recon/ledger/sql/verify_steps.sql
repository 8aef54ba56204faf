-- Adjustments of whose proposal or decision the history of their discrepancy says otherwise, and
-- steps of people that stand in the history or in the audit alone.
(
    SELECT
        j.user_id,
        j.currency,
        format('adjustment %s: no step says that %s proposed it', j.adjustment_id, j.proposed_by)
            AS detail
    FROM public.adjustments AS j
    WHERE
        NOT EXISTS (
            SELECT
            FROM public.discrepancy_events AS h
            WHERE
                h.user_id = j.user_id
                AND h.discrepancy_id = j.discrepancy_id
                AND h.action = 'proposed'
                AND h.actor = j.proposed_by
                AND h.detail ->> 'adjustment_id' = j.adjustment_id::text
        )
    ORDER BY j.user_id, j.adjustment_id
    LIMIT 100
)
UNION ALL
(
    SELECT
        j.user_id,
        j.currency,
        format(
            'adjustment %s: no step says that it is %s%s',
            j.adjustment_id, j.state, ', by ' || j.decided_by
        ) AS detail
    FROM public.adjustments AS j
    WHERE
        j.state <> 'proposed'
        AND NOT EXISTS (
            SELECT
            FROM public.discrepancy_events AS h
            WHERE
                h.user_id = j.user_id
                AND h.discrepancy_id = j.discrepancy_id
                AND h.action = 'adjustment_' || j.state
                AND h.actor = coalesce(j.decided_by, h.actor)
                AND h.detail ->> 'adjustment_id' = j.adjustment_id::text
        )
    ORDER BY j.user_id, j.adjustment_id
    LIMIT 100
)
UNION ALL
(
    SELECT
        coalesce(h.user_id, '') AS user_id,
        '' AS currency,
        format(
            '%s of %s by %s stands in the %s alone',
            coalesce(h.action, a.action),
            coalesce(h.object, a.object),
            coalesce(h.actor, a.actor),
            CASE WHEN h.action IS NULL THEN 'audit' ELSE 'history' END
        ) AS detail
    FROM (
        SELECT
            e.user_id,
            'discrepancy.' || e.action AS action,
            'discrepancy:' || e.discrepancy_id AS object,
            e.actor,
            e.detail
        FROM public.discrepancy_events AS e
        -- A person's step says how it stood before and after; what a run finds is history alone.
        WHERE e.detail ? 'before'
    ) AS h
    FULL JOIN (
        SELECT
            action,
            object,
            actor,
            detail
        FROM public.audit
        WHERE action LIKE 'discrepancy.%'
    ) AS a
        ON h.action = a.action AND h.object = a.object AND h.actor = a.actor AND h.detail = a.detail
    WHERE h.action IS NULL OR a.action IS NULL
    ORDER BY user_id, detail
    LIMIT 100
)
