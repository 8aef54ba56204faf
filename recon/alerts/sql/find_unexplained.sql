-- $1 message, $2 how long a part of a difference must have stood unexplained, from the first look
-- that found it so (after it had closed: anew) to its last, $3 the severities that count, $4
-- currencies and $5 in parallel the least unexplained amount of each that counts (any other: all).
-- Takes on what is to be told: what is new, what was reopened since it was told, and what has moved
-- since by as much again as was told. How many.
WITH found AS (
    SELECT
        d.discrepancy_id::text AS subject,
        d.unexplained,
        coalesce(t.generation, 0) + 1 AS generation,
        CASE
            WHEN t.generation IS NULL THEN 'new'
            WHEN EXISTS (
                SELECT
                FROM discrepancy_events AS e
                WHERE
                    e.user_id = d.user_id
                    AND e.discrepancy_id = d.discrepancy_id
                    AND e.action = 'reopened'
                    AND e.at > t.at
            ) THEN 'reopened'
            WHEN abs(d.unexplained - t.amount) >= abs(t.amount) THEN 'grown'
        END AS reason
    FROM discrepancies AS d
    LEFT JOIN unnest($4::text[], $5::numeric[]) AS l (currency, least) ON d.currency = l.currency
    LEFT JOIN LATERAL (
        SELECT
            s.generation,
            s.amount,
            s.at
        FROM alert_subjects AS s
        WHERE s.kind = 'discrepancy' AND s.subject = d.discrepancy_id::text
        ORDER BY s.generation DESC
        LIMIT 1
    ) AS t ON true
    WHERE
        d.status IN ('open', 'investigating', 'awaiting_approval')
        AND d.unexplained <> 0
        AND d.severity = any($3)
        AND abs(d.unexplained) >= coalesce(l.least, 0)
        AND d.last_seen_at - d.unexplained_since >= $2::interval
),

taken AS (
    INSERT INTO alert_subjects (alert_id, kind, subject, generation, reason, amount)
    SELECT
        $1,
        'discrepancy',
        f.subject,
        f.generation,
        f.reason,
        f.unexplained
    FROM found AS f
    WHERE f.reason IS NOT NULL
    -- All are found before the first is written: where the table was small when this was planned it
    -- is read row by row for each of them, and it would grow meanwhile.
    ORDER BY f.subject
    ON CONFLICT (kind, subject, generation) DO NOTHING
    RETURNING subject
)

SELECT count(*) FROM taken
