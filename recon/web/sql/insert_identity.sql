-- $1 issuer, $2 subject, $3 name. No row: that name, or that subject, is somebody else's already.
INSERT INTO staff_identities (issuer, subject, name)
VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING
RETURNING name
