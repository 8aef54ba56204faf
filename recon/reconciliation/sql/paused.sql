-- $1 run, $2 the grace period. No row: it does not wait. Else since when, whether a first look at a
-- sample was taken, seconds until the second is due, and the ranges in question with what they saw.
SELECT
    r.paused_at,
    r.examined_at IS NOT NULL AS examined,
    extract(
        EPOCH FROM r.paused_at + $2::interval - clock_timestamp()
    )::double precision AS due_in_s,
    array_agg(g.first_user) AS suspected,
    sum(g.looked)::bigint AS looked,
    sum(g.differed)::bigint AS differed
FROM runs AS r
INNER JOIN run_ranges AS g ON r.run_id = g.run_id AND g.suspected
WHERE r.run_id = $1 AND r.state = 'running' AND r.paused_at IS NOT NULL
GROUP BY r.run_id
