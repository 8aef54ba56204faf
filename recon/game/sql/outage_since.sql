-- $1 how long a process that does not reach the game is believed without saying so again.
SELECT min(down_since) AS down_since
FROM game_outages
WHERE seen_at >= clock_timestamp() - $1::interval
