-- Who did what,
-- that no seal covers yet: $1 the instant from which on there may be such. Their frozen bytes are
-- also in compare_audit.sql; a column of one without the other makes every row "changed".
SELECT
    jsonb_build_array(a.audit_id)::text AS row_key,
    a.at,
    sha256(
        record_send(
            row(
                a.audit_id,
                a.at,
                a.actor,
                a.action,
                a.object,
                a.detail
            )
        )
    ) AS row_hash
FROM public.audit AS a
WHERE
    a.at >= $1
    AND NOT EXISTS (
        SELECT FROM public.seal_links AS l
        WHERE
            l.kind = 'audit'
            AND l.at >= $1
            AND l.row_key = jsonb_build_array(a.audit_id)::text
    )
