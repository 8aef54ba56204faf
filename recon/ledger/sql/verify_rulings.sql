-- Bets that are settled by hand and no ruling says so, or another; rulings that were booked without
-- their money; and decisions of people that the audit does not know.
(
    SELECT
        b.user_id,
        b.currency,
        format('bet %s is %s by hand, and no ruling that was booked says so', b.bet_id, b.state)
            AS detail
    FROM public.bets AS b
    WHERE
        b.reason = 'settled_by_hand'
        AND NOT EXISTS (
            SELECT
            FROM public.bet_rulings AS r
            WHERE
                r.user_id = b.user_id
                AND r.bet_id = b.bet_id
                AND r.state = 'booked'
                AND r.outcome = CASE b.state WHEN 'rejected' THEN 'void' ELSE b.state END
                AND r.payout IS NOT DISTINCT FROM b.payout
        )
    ORDER BY b.user_id, b.bet_id
    LIMIT 100
)
UNION ALL
(
    SELECT
        r.user_id,
        r.currency,
        format('ruling %s (%s) was booked without its money', r.ruling_id, r.outcome) AS detail
    FROM public.bet_rulings AS r
    INNER JOIN public.bets AS b ON r.user_id = b.user_id AND r.bet_id = b.bet_id
    WHERE
        r.state = 'booked'
        AND r.outcome <> 'lost'
        AND NOT EXISTS (
            SELECT
            FROM public.idempotency AS i
            INNER JOIN public.postings AS p
                ON
                    i.user_id = p.user_id
                    AND i.currency = p.currency
                    AND i.version = p.version
            WHERE
                i.user_id = r.user_id
                AND i.source = 'bets'
                AND i.key = format(
                    '%s:%s',
                    r.bet_id, CASE b.state WHEN 'cashed_out' THEN 'payout' ELSE b.state END
                )
                AND p.currency = r.currency
                AND p.amount = coalesce(r.payout, b.amount)
        )
    ORDER BY r.user_id, r.ruling_id
    LIMIT 100
)
UNION ALL
(
    SELECT
        r.user_id,
        r.currency,
        format('ruling %s: the audit does not know that %s has %s it', r.ruling_id, s.actor, s.did)
            AS detail
    FROM public.bet_rulings AS r
    CROSS JOIN
        LATERAL (
            SELECT
                r.proposed_by AS actor,
                'proposed' AS did
            UNION ALL
            SELECT
                r.decided_by AS actor,
                r.state AS did
            WHERE r.decided_by IS NOT NULL
        ) AS s
    WHERE
        NOT EXISTS (
            SELECT
            FROM public.audit AS a
            WHERE
                a.object = 'bet:' || r.bet_id
                AND a.action = 'bet.ruling_' || s.did
                AND a.actor = s.actor
                AND a.detail ->> 'ruling_id' = r.ruling_id::text
        )
    ORDER BY r.user_id, r.ruling_id
    LIMIT 100
)
