-- $1 name. Lets somebody in again; no row: nobody of that name is disabled.
UPDATE staff
SET disabled_at = NULL
WHERE name = $1 AND disabled_at IS NOT NULL
RETURNING name
