-- $1 users, $2 currencies, in parallel, $3 for how long an accepted withdrawal may still be at the
-- game. The ledger's side of each wallet at one instant: balances, and what may rightly differ at
-- the game. One statement, so that all of it is of one snapshot.
SELECT
    k.user_id,
    k.currency,
    coalesce(w.available, 0) AS available,
    coalesce(w.held, 0) AS held,
    coalesce(w.reserved, 0) AS reserved,
    coalesce(w.version, 0) AS version,
    coalesce(p.unreported, 0) AS unreported,
    coalesce(p.accepted, '{}') AS accepted,
    coalesce(b.unsettled, 0) AS unsettled,
    statement_timestamp() AS read_at
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (user_id, currency, place)
LEFT JOIN wallets AS w ON k.user_id = w.user_id AND k.currency = w.currency
LEFT JOIN checks AS c ON k.user_id = c.user_id AND k.currency = c.currency
LEFT JOIN LATERAL (
    SELECT
        sum(o.amount) FILTER (WHERE o.state <> 'accepted') AS unreported,
        array_agg(o.amount ORDER BY o.updated_at DESC, o.reference ASC) FILTER (
            WHERE
            o.state = 'accepted'
            AND o.updated_at > statement_timestamp() - $3::interval
            AND o.updated_at > coalesce(c.taken_until, '-infinity')
        ) AS accepted
    FROM payments AS o
    WHERE
        o.user_id = k.user_id
        AND o.currency = k.currency
        AND o.direction = 'withdrawal'
        AND o.state IN ('registered', 'pending', 'accepted')
) AS p ON true
LEFT JOIN LATERAL (
    SELECT count(*) AS unsettled
    FROM bets AS o
    WHERE
        o.user_id = k.user_id
        AND o.currency = k.currency
        AND o.state IN ('placing', 'placed', 'cashing_out')
) AS b ON true
ORDER BY k.place
