-- $1 only this file, $2 endpoint (each null: any), $3 before this file (null: the newest), $4 how
-- many. Newest first.
-- Turned it is the other way round, and before is after.
SELECT
    f.file_id,
    f.endpoint,
    f.format,
    f.name,
    f.content_sha256,
    f.bytes,
    f.lines,
    f.new_lines,
    f.repeated_lines,
    f.duplicate_lines,
    f.rejected_lines,
    f.matched,
    f.period_from,
    f.period_to,
    f.checked_until,
    f.totals,
    f.imported_at,
    f.imported_by,
    o.open_findings,
    o.findings
FROM settlement_files AS f
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(sum(g.open_of_kind), 0)::bigint AS open_findings,
            coalesce(jsonb_object_agg(g.kind, g.of_kind), '{}') AS findings
        FROM (
            SELECT
                n.kind,
                count(*) AS of_kind,
                count(*) FILTER (WHERE n.state = 'open') AS open_of_kind
            FROM settlement_findings AS n
            WHERE n.file_id = f.file_id
            GROUP BY n.kind
        ) AS g
    ) AS o
WHERE
    ($1::uuid IS NULL OR f.file_id = $1)
    AND ($2::text IS NULL OR f.endpoint = $2)
    AND ($3::uuid IS NULL OR f.file_id < $3) -- turns
ORDER BY f.file_id DESC -- turns
LIMIT $4
