-- $1 ids for cases, as many as payments at most; $2 how long after it was registered a payment is
-- overdue. The longest overdue first. A payment whose report stands in the inbox and could not be
-- booked has a case already. How many were
-- looked at, and how many cases opened.
WITH due AS (
    SELECT p.reference
    FROM payments AS p
    WHERE
        p.state = 'registered'
        AND p.overdue_at IS NULL
        AND p.registered_at < clock_timestamp() - $2::interval
        AND NOT EXISTS (
            SELECT FROM deliveries AS d
            WHERE
                d.reference = p.reference
                AND d.endpoint = p.endpoint
                AND d.state IN ('suspended', 'quarantined')
        )
    ORDER BY p.registered_at
    LIMIT cardinality($1::uuid[])
    -- One whose report is being booked is left alone: it is not overdue any more.
    FOR NO KEY UPDATE OF p SKIP LOCKED
),

marked AS (
    UPDATE payments AS p
    SET overdue_at = clock_timestamp()
    FROM due
    WHERE p.reference = due.reference
    RETURNING
        p.reference, p.endpoint, p.direction, p.user_id, p.currency, p.amount, p.registered_at
),

numbered AS (
    SELECT
        m.*,
        row_number() OVER (ORDER BY m.registered_at, m.reference) AS place
    FROM marked AS m
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
        || ' of which its PSP has said nothing'
    FROM numbered AS n
    INNER JOIN unnest($1::uuid[]) WITH ORDINALITY AS i (case_id, place) ON n.place = i.place
    RETURNING case_id
)

SELECT
    (SELECT count(*) FROM marked) AS looked_at,
    (SELECT count(*) FROM opened) AS opened
