-- Everybody with when they were last seen, and whether a provider's account is theirs, by name.
SELECT
    s.name,
    s.role,
    s.created_at,
    s.disabled_at,
    max(v.last_seen_at) AS last_seen_at,
    s.name IN (SELECT i.name FROM staff_identities AS i) AS is_linked
FROM staff AS s
LEFT JOIN sessions AS v ON s.name = v.name
GROUP BY s.name
ORDER BY s.name
