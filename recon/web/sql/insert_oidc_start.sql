-- $1 hash of the browser's token, $2 path that was wanted.
INSERT INTO oidc_starts (start_hash, wanted)
VALUES ($1, $2)
