-- $1 after this finding (null: the first), $2 how many: open findings of payments, and whether what
-- is booked by now agrees: with the whole payment, or with the one movement that it is about. What
-- was in no file is explained once nothing is left of it. The last of a page is where the next
-- begins.
SELECT
    f.user_id,
    f.finding_id,
    CASE
        WHEN f.kind = 'missing_there' THEN coalesce(b.own, b.amount) = 0
        ELSE
            f.settled_currency = b.currency
            AND (f.settled_amount = b.amount OR f.settled_amount = b.own)
    END AS is_explained
FROM (
    SELECT
        o.user_id,
        o.finding_id,
        o.endpoint,
        o.kind,
        o.about,
        coalesce(
            o.payment_id,
            (
                SELECT p.payment_id FROM payments AS p
                WHERE p.reference = o.reference AND p.endpoint = o.endpoint
            )
        ) AS payment_id,
        o.effect_id,
        o.settled_currency,
        o.settled_amount
    FROM settlement_findings AS o
    WHERE
        o.state = 'open'
        AND o.kind IN (
            'missing_here', 'missing_there', 'amount_mismatch', 'currency_mismatch',
            'status_conflict'
        )
        AND ($1::uuid IS NULL OR o.finding_id > $1)
    ORDER BY o.finding_id
    LIMIT $2
) AS f
LEFT JOIN LATERAL (
    SELECT
        sum(k.amount) AS amount,
        sum(k.amount) FILTER (WHERE k.object_id = f.effect_id) AS own,
        CASE WHEN min(k.currency) = max(k.currency) THEN min(k.currency) END AS currency
    FROM (
        SELECT DISTINCT
            m.object_id,
            m.currency,
            CASE WHEN m.effect LIKE 'deposit_reversed%' THEN -m.amount ELSE m.amount END AS amount,
            split_part(m.effect, ':', 1) AS effect
        FROM (
            SELECT
                x.object_id,
                x.currency,
                x.amount,
                x.effect
            FROM movements AS x
            WHERE x.endpoint = f.endpoint AND x.object_id = coalesce(f.effect_id, f.payment_id)
            UNION
            SELECT
                y.object_id,
                y.currency,
                y.amount,
                y.effect
            FROM movements AS y
            WHERE y.endpoint = f.endpoint AND y.object_id = f.payment_id
            UNION
            SELECT
                z.object_id,
                z.currency,
                z.amount,
                z.effect
            FROM movements AS z
            WHERE
                z.endpoint = f.endpoint
                AND z.payment_id = f.payment_id
                AND z.payment_id <> z.object_id
        ) AS m
        WHERE m.effect NOT LIKE 'voided%'
    ) AS k
    WHERE
        f.about = CASE k.effect
            WHEN 'paid' THEN 'withdrawal'
            WHEN 'returned' THEN 'withdrawal_returned'
            WHEN 'refund_failed' THEN 'refund_reversed'
            WHEN 'deposit_reversed' THEN 'deposit'
            ELSE k.effect
        END
        AND (
            f.about = 'deposit'
            OR f.effect_id IS NULL
            OR k.object_id IN (f.effect_id, f.payment_id)
        )
) AS b ON true
ORDER BY f.finding_id
