-- $1 endpoint, $2 hash of the content: the file, if it was imported before.
SELECT file_id
FROM settlement_files
WHERE endpoint = $1 AND content_sha256 = $2
