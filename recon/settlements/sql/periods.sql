-- $1 endpoint: of which times its files speak and of what, and what was judged with each.
SELECT
    spans,
    tells,
    judged
FROM settlement_files
WHERE endpoint = $1
ORDER BY file_id
