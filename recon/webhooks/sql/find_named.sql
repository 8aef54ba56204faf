-- $1 a whole id: of an event, payment, refund, dispute, payout or player, or a reference; $2 the
-- same where it is a delivery's id; $3 how many at most by each. The newest deliveries it names.
WITH RECURSIVE places (endpoint) AS (
    (SELECT d.endpoint FROM deliveries AS d ORDER BY d.endpoint LIMIT 1)
    UNION ALL
    -- The next endpoint after each: as many index look-ups as there are endpoints.
    SELECT (
        SELECT d.endpoint
        FROM deliveries AS d
        WHERE d.endpoint > p.endpoint
        ORDER BY d.endpoint
        LIMIT 1
    )
    FROM places AS p
    WHERE p.endpoint IS NOT NULL
)

SELECT d.delivery_id
FROM deliveries AS d
WHERE d.delivery_id = $2
UNION
SELECT d.delivery_id
FROM places AS p
INNER JOIN deliveries AS d ON p.endpoint = d.endpoint
WHERE d.event_id = $1
UNION
(
    SELECT d.delivery_id
    FROM deliveries AS d
    WHERE d.reference = $1
    ORDER BY d.delivery_id DESC
    LIMIT $3
)
UNION
(
    SELECT d.delivery_id
    FROM deliveries AS d
    WHERE d.payment_id = $1
    ORDER BY d.delivery_id DESC
    LIMIT $3
)
UNION
-- A refund, dispute or payout that has moved something.
SELECT m.delivery_id
FROM places AS p
INNER JOIN movements AS m ON p.endpoint = m.endpoint
WHERE m.object_id = $1
UNION
(
    SELECT d.delivery_id
    FROM deliveries AS d
    WHERE d.user_id = $1 AND d.state IN ('waiting', 'suspended', 'quarantined')
    ORDER BY d.delivery_id DESC
    LIMIT $3
)
UNION
-- What is told of a player's registered payments.
(
    SELECT d.delivery_id
    FROM payments AS p
    INNER JOIN deliveries AS d ON p.reference = d.reference AND p.endpoint = d.endpoint
    WHERE p.user_id = $1
    ORDER BY d.delivery_id DESC
    LIMIT $3
)
UNION
-- What is booked to a player, by the keys of its postings.
(
    SELECT m.delivery_id
    FROM idempotency AS i
    INNER JOIN movements AS m
        ON
            m.endpoint = substr(i.source, 5)
            AND m.object_id = regexp_replace(i.key, ':[a-z_]+(:released)?$', '')
            AND i.user_id = m.user_id
    WHERE i.user_id = $1 AND i.source LIKE 'psp:%'
    ORDER BY m.delivery_id DESC
    LIMIT $3
)
