-- $1 message (null: nothing to tell), $2 kind, $3 subjects, $4 reasons, in parallel. Those that are
-- new; what was told before is not told again.
INSERT INTO alert_subjects (alert_id, kind, subject, generation, reason)
SELECT
    $1,
    $2,
    n.subject,
    1,
    n.reason
FROM unnest($3::text[], $4::text[]) AS n (subject, reason)
ON CONFLICT (kind, subject, generation) DO NOTHING
RETURNING subject
