-- $1 issuer, $2 subject. Who of the staff that is, if it is known.
SELECT name
FROM staff_identities
WHERE issuer = $1 AND subject = $2
