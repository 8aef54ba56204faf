-- $1 place, $2 hash of the name, $3 window. How many tries there were of this name from this place,
-- of this name from anywhere, and from this place; when the oldest leaves the window.
SELECT
    count(*) FILTER (WHERE a.place = $1 AND a.name_hash = $2) AS of_both,
    count(*) FILTER (WHERE a.name_hash = $2) AS of_name,
    count(*) FILTER (WHERE a.place = $1) AS of_place,
    extract(
        EPOCH FROM coalesce(min(a.at), clock_timestamp()) + $3::interval - clock_timestamp()
    )::double precision AS frees_in_s
FROM sign_in_attempts AS a
WHERE (a.place = $1 OR a.name_hash = $2) AND a.at > clock_timestamp() - $3::interval
