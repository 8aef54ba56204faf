-- $1..$21 the columns in the order below.
INSERT INTO settlement_files (
    file_id,
    endpoint,
    format,
    name,
    content_sha256,
    bytes,
    lines,
    new_lines,
    repeated_lines,
    duplicate_lines,
    rejected_lines,
    matched,
    period_from,
    period_to,
    checked_until,
    totals,
    imported_at,
    imported_by,
    spans,
    tells,
    judged
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21
)
