-- $1 process; what the dead have left goes too.
DELETE FROM game_outages
WHERE process = $1 OR seen_at < clock_timestamp() - interval '1 hour'
