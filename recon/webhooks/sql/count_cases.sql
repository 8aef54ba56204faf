-- Open cases by their kind.
SELECT
    kind,
    count(*) AS open
FROM cases
WHERE state = 'open'
GROUP BY kind
