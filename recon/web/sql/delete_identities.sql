-- $1 name. Their subjects at providers; the next sign-in by one links anew.
DELETE FROM staff_identities
WHERE name = $1
RETURNING subject
