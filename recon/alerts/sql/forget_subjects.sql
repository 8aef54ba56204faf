-- $1 older than this, 31 days at least; $2 at most so many. What was told goes where nothing would
-- find it again: bad runs are looked for over 30 days, gaps in the schedule over seven and back to
-- the run before those, and only the newest digest, verification and telling of a discrepancy
-- count. How many went.
WITH gone AS (
    DELETE FROM alert_subjects
    WHERE
        (kind, subject, generation) IN (
            SELECT
                s.kind,
                s.subject,
                s.generation
            FROM alert_subjects AS s
            WHERE
                s.at < clock_timestamp() - $1::interval
                AND CASE s.kind
                    WHEN 'run' THEN true
                    WHEN 'seals' THEN true
                    WHEN 'digest'
                        THEN
                            EXISTS (
                                SELECT
                                FROM alert_subjects AS n
                                WHERE
                                    n.kind = 'digest'
                                    AND n.subject::timestamptz > s.subject::timestamptz
                            )
                    WHEN 'verification'
                        THEN
                            NOT EXISTS (
                                SELECT
                                FROM verifications AS v
                                WHERE v.verification_id = s.subject::uuid
                            )
                    WHEN 'incident'
                        THEN
                            EXISTS (
                                SELECT
                                FROM incidents AS i
                                WHERE i.incident_id = s.subject::uuid AND i.closed_at IS NOT NULL
                            )
                    WHEN 'bet'
                        THEN
                            EXISTS (
                                SELECT
                                FROM cases AS c
                                WHERE c.case_id = s.subject::uuid AND c.state = 'closed'
                            )
                    WHEN 'schedule'
                        THEN
                            EXISTS (
                                SELECT
                                FROM runs AS r
                                WHERE
                                    r.trigger = 'schedule'
                                    AND r.scope = split_part(s.subject, ':', 1)
                                    AND r.started_at > s.at
                                    AND r.started_at < clock_timestamp() - interval '8 days'
                            )
                    WHEN 'discrepancy'
                        THEN (
                            EXISTS (
                                SELECT
                                FROM alert_subjects AS n
                                WHERE
                                    n.kind = 'discrepancy'
                                    AND n.subject = s.subject
                                    AND n.generation > s.generation
                            )
                            OR EXISTS (
                                SELECT
                                FROM discrepancies AS d
                                WHERE
                                    d.discrepancy_id = s.subject::uuid
                                    AND d.closed_at < clock_timestamp() - $1::interval
                            )
                        )
                    ELSE false
                END
            ORDER BY s.at
            LIMIT $2
        )
    RETURNING subject
)

SELECT count(*) FROM gone
