-- The newest verification that has ended, where nobody has looked at it: what it found, what was
-- known before (by the newest that was looked at and came to an end), and how the one before ended.
SELECT
    v.verification_id,
    v.state,
    v.finished_at,
    v.faults,
    v.reason,
    (
        SELECT b.state
        FROM verifications AS b
        WHERE b.finished_at IS NOT NULL AND b.started_at < v.started_at
        ORDER BY b.started_at DESC
        LIMIT 1
    ) AS state_before,
    coalesce(
        (
            SELECT b.faults
            FROM verifications AS b
            INNER JOIN alert_subjects AS s
                ON s.kind = 'verification' AND b.verification_id::text = s.subject
            WHERE b.state IN ('holds', 'faulty')
            ORDER BY b.started_at DESC
            LIMIT 1
        ),
        '[]'
    ) AS known
FROM (
    SELECT
        n.verification_id,
        n.state,
        n.started_at,
        n.finished_at,
        n.faults,
        n.reason
    FROM verifications AS n
    WHERE n.finished_at IS NOT NULL
    ORDER BY n.started_at DESC
    LIMIT 1
) AS v
WHERE
    NOT EXISTS (
        SELECT
        FROM alert_subjects AS s
        WHERE s.kind = 'verification' AND s.subject = v.verification_id::text
    )
