-- $1 process, $2 since when it does not reach the game, $3 whether it has said so before. Its own
-- clock may be ahead of everybody's: now at the latest, and what it has said once stays.
INSERT INTO game_outages AS o (process, down_since)
VALUES ($1, least($2, clock_timestamp()))
ON CONFLICT (process) DO UPDATE
    SET
        down_since = CASE WHEN $3 THEN o.down_since ELSE excluded.down_since END,
        seen_at = clock_timestamp()
