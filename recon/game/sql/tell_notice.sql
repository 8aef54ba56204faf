-- $1 kind, $2 operation, $3 value, $4 link, $5 when it was first seen. One that says something
-- else begins anew.
INSERT INTO game_notices AS n (kind, operation, value, link, first_seen_at)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (kind, operation) DO UPDATE
    SET
        value = excluded.value,
        link = excluded.link,
        first_seen_at = CASE
            WHEN n.value = excluded.value THEN n.first_seen_at ELSE excluded.first_seen_at
        END,
        seen_at = clock_timestamp()
