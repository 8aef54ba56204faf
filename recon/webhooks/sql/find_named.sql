-- $1 a whole id: of an event, payment, refund, dispute, payout or player, or a reference; $2 the
-- same where it is a delivery's id; $3 how many at most by each. The newest deliveries it names; of
-- a player those of the newest $3 payments in each currency, and of what is booked the newest $3
-- among five times as many postings: however much there is of one player, so much is looked at.
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
    FROM currencies AS c
    CROSS JOIN
        LATERAL (
            SELECT
                n.reference,
                n.endpoint
            FROM payments AS n
            WHERE n.user_id = $1 AND n.currency = c.code
            ORDER BY n.registered_at DESC
            LIMIT $3
        ) AS p
    INNER JOIN deliveries AS d ON p.reference = d.reference AND p.endpoint = d.endpoint
    ORDER BY d.delivery_id DESC
    LIMIT $3
)
UNION
-- What is booked to a player, by the keys of its postings.
(
    SELECT m.delivery_id
    FROM wallets AS w
    CROSS JOIN
        LATERAL (
            SELECT
                n.source,
                n.key
            FROM (
                SELECT
                    p.source,
                    p.key,
                    p.version
                FROM postings AS p
                WHERE p.user_id = w.user_id AND p.currency = w.currency
                ORDER BY p.version DESC
                LIMIT 5 * $3
            ) AS n
            WHERE n.source LIKE 'psp:%'
            ORDER BY n.version DESC
            LIMIT $3
        ) AS i
    INNER JOIN movements AS m
        ON
            m.endpoint = substr(i.source, 5)
            AND m.object_id = regexp_replace(i.key, ':[a-z_]+(:released)?$', '')
            AND w.user_id = m.user_id
    WHERE w.user_id = $1
    ORDER BY m.delivery_id DESC
    LIMIT $3
)
