-- $1 endpoint, $2 who, $3 why it failed (null: it did not).
UPDATE backfills
SET
    held_by = NULL,
    held_until = '-infinity',
    completed_at = CASE WHEN $3::text IS NULL THEN clock_timestamp() ELSE completed_at END,
    failed_at = CASE WHEN $3::text IS NULL THEN failed_at ELSE clock_timestamp() END,
    failure = $3
WHERE endpoint = $1 AND held_by = $2
