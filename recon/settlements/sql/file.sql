-- $1 file: as in files.sql.
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
WHERE f.file_id = $1
