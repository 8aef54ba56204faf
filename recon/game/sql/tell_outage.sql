-- $1 process, $2 since when it does not reach the game.
INSERT INTO game_outages (process, down_since)
VALUES ($1, $2)
ON CONFLICT (process) DO UPDATE
    SET down_since = excluded.down_since, seen_at = clock_timestamp()
