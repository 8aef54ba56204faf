-- $1 player. Takes the bytes of every delivery about a payment of the player's, and other bytes
-- that came under their ids. What waits or is in suspense, or has an open case, keeps them: it has
-- to stay replayable. How many payloads are gone, and of how many deliveries they had to stay.
WITH known AS (
    -- A posting's key is object:effect of its movement, which its primary key finds. A refund may
    -- have named the payment by the other of its ids.
    SELECT
        m.endpoint,
        n.payment_id,
        NULL AS reference
    FROM postings AS p
    CROSS JOIN LATERAL (SELECT regexp_replace(p.key, ':released$', '') AS name) AS k
    INNER JOIN movements AS m
        ON
            m.endpoint = substr(p.source, 5)
            AND m.object_id = regexp_replace(k.name, ':[^:]*$', '')
            AND m.effect = substring(k.name FROM '[^:]*$')
    CROSS JOIN LATERAL (VALUES (m.payment_id), (m.also_known_as)) AS n (payment_id)
    WHERE p.user_id = $1 AND p.source LIKE 'psp:%'
    UNION
    SELECT
        p.endpoint,
        p.payment_id,
        p.reference
    FROM payments AS p
    WHERE p.user_id = $1
),

-- What was neither booked nor registered: only that it names the player leads to it. Each half has
-- an index of its own.
named AS (
    SELECT
        d.delivery_id,
        d.endpoint,
        d.payment_id
    FROM deliveries AS d
    WHERE d.user_id = $1 AND d.state IN ('waiting', 'suspended', 'quarantined')
    UNION ALL
    SELECT
        d.delivery_id,
        d.endpoint,
        d.payment_id
    FROM deliveries AS d
    WHERE d.user_id = $1 AND d.state IN ('ignored', 'repeated')
),

about AS (
    SELECT d.delivery_id
    FROM known AS k
    INNER JOIN deliveries AS d ON k.payment_id = d.payment_id AND k.endpoint = d.endpoint
    UNION
    SELECT d.delivery_id
    FROM known AS k
    INNER JOIN deliveries AS d ON k.reference = d.reference AND k.endpoint = d.endpoint
    UNION
    SELECT n.delivery_id
    FROM named AS n
    UNION
    -- What the PSP said of such a payment without naming anybody; unless the payment is another
    -- player's after all, whose records may have to be kept.
    SELECT d.delivery_id
    FROM named AS n
    INNER JOIN deliveries AS d ON n.payment_id = d.payment_id AND n.endpoint = d.endpoint
    WHERE NOT EXISTS (
        SELECT FROM deliveries AS o
        WHERE o.payment_id = n.payment_id AND o.endpoint = n.endpoint AND o.user_id <> $1
    )
),

found AS MATERIALIZED (
    SELECT
        d.delivery_id,
        d.endpoint,
        d.event_id,
        d.body IS NOT NULL AS has_body,
        d.state IN ('waiting', 'suspended') OR EXISTS (
            SELECT FROM cases AS c
            WHERE c.delivery_id = d.delivery_id AND c.state = 'open'
        ) AS has_to_stay
    FROM about AS a
    INNER JOIN deliveries AS d ON a.delivery_id = d.delivery_id
),

erased AS (
    UPDATE deliveries AS d
    SET body = NULL
    FROM found AS f
    WHERE d.delivery_id = f.delivery_id AND f.has_body AND NOT f.has_to_stay
    RETURNING d.delivery_id
),

erased_repeats AS (
    UPDATE delivery_repeats AS r
    SET body = NULL
    FROM found AS f
    WHERE
        r.endpoint = f.endpoint
        AND r.event_id = f.event_id
        AND r.body IS NOT NULL
        AND NOT f.has_to_stay
    RETURNING r.repeat_id
)

SELECT
    (SELECT count(*) FROM erased) + (SELECT count(*) FROM erased_repeats) AS erased,
    (SELECT count(*) FROM found AS f WHERE f.has_body AND f.has_to_stay) AS kept
