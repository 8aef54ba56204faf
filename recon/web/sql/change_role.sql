-- $1 name, $2 role. What it was before; no row: nobody of that name.
UPDATE staff AS s
SET role = $2
FROM (SELECT f.role FROM staff AS f WHERE f.name = $1 FOR UPDATE) AS b
WHERE s.name = $1
RETURNING b.role
