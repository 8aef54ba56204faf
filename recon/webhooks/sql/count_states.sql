-- $1 states besides booked, $2 how many of each are counted at most, $3 among how many of the
-- newest the booked ones are counted. How many deliveries there are in each state.
SELECT
    s.state,
    c.deliveries
FROM unnest($1::text[]) AS s (state)
CROSS JOIN
    LATERAL (
        SELECT count(*) AS deliveries
        FROM (
            SELECT
            FROM deliveries AS d
            WHERE d.state = s.state AND d.state <> 'booked'
            ORDER BY d.delivery_id DESC
            LIMIT $2
        ) AS some_of_them
    ) AS c
UNION ALL
SELECT
    'booked' AS state,
    least(count(*) FILTER (WHERE n.state = 'booked'), $2) AS deliveries
FROM (SELECT d.state FROM deliveries AS d ORDER BY d.delivery_id DESC LIMIT $3) AS n
