-- $1 incident, $2 cause, $3 root, $4 from, $5 until. Opens it, or lets it reach so far.
INSERT INTO incidents AS i (incident_id, cause, root, from_at, until_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (incident_id) DO UPDATE
    SET
        from_at = least(i.from_at, excluded.from_at),
        until_at = greatest(i.until_at, excluded.until_at)
