-- $1 user, $2 currency, $3 until, $4 how many of a kind at most. What postings, deliveries,
-- payments and bets say of a wallet up to that time, the newest of each kind; oldest first.
-- `amount` of a posting is what it has moved of the player's available money, null where nothing;
-- of all else what it is over, without a sign. `id` is what its page is found by.
SELECT
    t.at,
    t.kind,
    t.id,
    t.title,
    t.state,
    t.amount,
    t.version,
    t.available_after
FROM (
    (
        SELECT
            p.recorded_at AS at,
            'posting' AS kind,
            p.user_id || ':' || p.currency || ':' || p.version::text AS id,
            p.kind AS title,
            p.source || ' ' || p.key AS state,
            CASE
                WHEN p.credit = 'available' THEN p.amount
                WHEN p.debit = 'available' THEN -p.amount
            END AS amount,
            p.version,
            p.available_after
        FROM postings AS p
        WHERE
            p.user_id = $1
            AND p.currency = $2
            AND p.recorded_at <= $3
        ORDER BY p.version DESC
        LIMIT $4
    )
    UNION ALL
    (
        SELECT
            d.received_at AS at,
            'delivery' AS kind,
            d.delivery_id::text AS id,
            d.event_type || ' from ' || d.endpoint AS title,
            d.state || coalesce(': ' || d.reason, '') AS state,
            CASE WHEN d.currency = $2 THEN d.amount END AS amount,
            NULL::bigint AS version,
            NULL::numeric AS available_after
        FROM deliveries AS d
        WHERE
            d.received_at <= $3
            AND d.delivery_id IN (
                SELECT x.delivery_id
                FROM deliveries AS x
                WHERE
                    x.user_id = $1
                    AND x.currency = $2
                    AND x.state IN ('waiting', 'suspended', 'quarantined')
                UNION
                SELECT x.delivery_id
                FROM payments AS q
                INNER JOIN deliveries AS x ON q.endpoint = x.endpoint AND q.reference = x.reference
                WHERE q.user_id = $1 AND q.currency = $2
            )
        ORDER BY d.received_at DESC
        LIMIT $4
    )
    UNION ALL
    (
        SELECT
            q.registered_at AS at,
            'payment' AS kind,
            q.reference AS id,
            q.direction || ' ' || q.reference || ' registered at ' || q.endpoint AS title,
            q.state,
            q.amount,
            NULL::bigint AS version,
            NULL::numeric AS available_after
        FROM payments AS q
        WHERE q.user_id = $1 AND q.currency = $2 AND q.registered_at <= $3
        ORDER BY q.registered_at DESC
        LIMIT $4
    )
    UNION ALL
    (
        SELECT
            coalesce(b.settled_at, b.updated_at) AS at,
            'bet' AS kind,
            b.bet_id::text AS id,
            'Bet ' || coalesce(b.ticket_id, b.bet_id::text) || ' in round ' || b.round_id AS title,
            b.state || coalesce(': ' || b.reason, '') AS state,
            CASE WHEN b.state = 'cashed_out' THEN b.payout ELSE b.amount END AS amount,
            NULL::bigint AS version,
            NULL::numeric AS available_after
        FROM bets AS b
        WHERE b.user_id = $1 AND b.currency = $2 AND b.updated_at <= $3
        ORDER BY b.updated_at DESC
        LIMIT $4
    )
) AS t
ORDER BY t.at, t.kind, t.version
