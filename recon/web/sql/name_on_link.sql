-- $1 hash of the token. Whom a link signs in that nobody has used yet; no row where it is none.
SELECT l.name
FROM sign_in_links AS l
INNER JOIN staff AS s ON l.name = s.name
WHERE
    l.link_hash = $1
    AND l.used_at IS NULL
    AND l.expires_at > clock_timestamp()
    AND s.disabled_at IS NULL
