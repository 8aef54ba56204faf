-- $1 how long a notice that was not seen again is believed.
SELECT
    kind,
    operation,
    value,
    link,
    first_seen_at AS seen_at
FROM game_notices
WHERE seen_at >= clock_timestamp() - $1::interval
ORDER BY kind, operation
