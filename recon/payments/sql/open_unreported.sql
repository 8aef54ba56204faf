-- $1 ids for cases, as many as payments at most; $2 references of overdue payments, all locked.
-- They are looked at, and not again: no case where the payment had one, or where its report stands
-- in the inbox with an open case of its own. When that closes, the payment is looked at again (a
-- trigger, see 0003_webhooks.up.sql). How many cases opened.
WITH marked AS (
    UPDATE payments AS p
    SET overdue_at = clock_timestamp()
    WHERE p.reference = any($2::text[])
    RETURNING
        p.reference, p.endpoint, p.direction, p.user_id, p.currency, p.amount, p.registered_at
),

numbered AS (
    SELECT
        m.*,
        row_number() OVER (ORDER BY m.registered_at, m.reference) AS place
    FROM marked AS m
    WHERE
        NOT EXISTS (
            SELECT FROM cases AS c
            WHERE c.reference = m.reference AND c.kind = 'payment_overdue'
        )
        AND NOT EXISTS (
            SELECT FROM deliveries AS d
            INNER JOIN cases AS c ON d.delivery_id = c.delivery_id
            WHERE
                d.reference = m.reference
                AND d.endpoint = m.endpoint
                AND d.state IN ('suspended', 'quarantined')
                AND c.state = 'open'
        )
),

opened AS (
    INSERT INTO cases (
        case_id, kind, endpoint, reference, user_id, currency, amount, reason
    )
    SELECT
        i.case_id,
        'payment_overdue',
        n.endpoint,
        n.reference,
        n.user_id,
        n.currency,
        n.amount,
        'a ' || n.direction || ' registered at '
        || to_char(n.registered_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        || ' of which its PSP has said nothing that is booked'
    FROM numbered AS n
    INNER JOIN unnest($1::uuid[]) WITH ORDINALITY AS i (case_id, place) ON n.place = i.place
    RETURNING case_id
)

SELECT count(*) AS opened FROM opened
