-- Where the schedule should have started a run and did not, by more than a period, an hour at most
-- and a minute at least; of which nobody was told. A run is due a period after the last one began,
-- and not while that one runs; one that still runs after three periods is told as well. A gap that
-- has ended meanwhile, because nobody was there to tell, counts like one that has not.
WITH lanes AS (
    SELECT
        l.scope,
        l.every,
        l.since,
        greatest(interval '1 minute', least(l.every, interval '1 hour')) AS slack
    FROM alert_lanes AS l
),

starts AS (
    SELECT
        l.scope,
        l.every,
        l.slack,
        r.run_id,
        r.state,
        r.started_at,
        CASE WHEN r.state = 'running' THEN 'still_running' ELSE 'not_started' END AS reason,
        greatest(
            l.since,
            coalesce(r.started_at, l.since) + l.every,
            r.finished_at
        ) AS due_at,
        lead(r.started_at) OVER (PARTITION BY l.scope ORDER BY r.started_at) AS next_at
    FROM lanes AS l
    LEFT JOIN LATERAL (
        (
            SELECT
                s.run_id,
                s.state,
                s.started_at,
                s.finished_at
            FROM runs AS s
            WHERE
                s.scope = l.scope
                AND s.trigger = 'schedule'
                AND s.started_at > clock_timestamp() - interval '7 days'
                -- Not what a clock that was ahead for a while has begun.
                AND s.started_at <= clock_timestamp()
        )
        UNION ALL
        (
            SELECT
                s.run_id,
                s.state,
                s.started_at,
                s.finished_at
            FROM runs AS s
            WHERE
                s.scope = l.scope
                AND s.trigger = 'schedule'
                AND s.started_at <= clock_timestamp() - interval '7 days'
            ORDER BY s.started_at DESC
            LIMIT 1
        )
    ) AS r ON true
),

gaps AS (
    SELECT
        s.scope,
        s.every,
        s.run_id AS last_run_id,
        s.started_at AS last_started_at,
        s.due_at,
        s.next_at AS resumed_at,
        s.reason,
        -- A run that was told because it went on and on may be followed by a gap of its own.
        concat_ws(
            ':', s.scope, coalesce(s.run_id::text, extract(EPOCH FROM s.due_at)::text), s.reason
        ) AS subject
    FROM starts AS s
    WHERE
        coalesce(s.next_at, clock_timestamp()) > s.due_at + s.slack + CASE
            WHEN s.state = 'running' THEN 2 * s.every
            ELSE interval '0'
        END
)

SELECT
    g.scope,
    g.every,
    g.last_run_id,
    g.last_started_at,
    g.due_at,
    g.resumed_at,
    g.reason,
    g.subject
FROM gaps AS g
WHERE
    NOT EXISTS (
        SELECT
        FROM alert_subjects AS s
        WHERE s.kind = 'schedule' AND s.subject = g.subject
    )
ORDER BY g.due_at
