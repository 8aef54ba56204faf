-- $1 name. No row: nobody of that name.
UPDATE staff
SET disabled_at = coalesce(disabled_at, clock_timestamp())
WHERE name = $1
RETURNING name
