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
            -- In no order: an order by id would be read by the index of ids, past all other states.
            WHERE d.state = s.state AND d.state <> 'booked'
            LIMIT $2 -- noqa: AM09
        ) AS some_of_them
    ) AS c
UNION ALL
SELECT
    'booked' AS state,
    least(count(*) FILTER (WHERE n.state = 'booked'), $2) AS deliveries
FROM (SELECT d.state FROM deliveries AS d ORDER BY d.delivery_id DESC LIMIT $3) AS n
