-- $1 ids for cases, as many as deliveries at most; $2 how long a delivery may wait for its payment.
-- The one that waits longest first; each is found once for ever. How many were found.
WITH due AS (
    SELECT d.delivery_id
    FROM deliveries AS d
    WHERE
        d.state = 'waiting'
        AND d.waited_at IS NULL
        AND d.received_at < clock_timestamp() - $2::interval
    ORDER BY d.received_at
    LIMIT cardinality($1::uuid[])
    -- One that is being decided again is left alone: it may have found its place.
    FOR NO KEY UPDATE OF d SKIP LOCKED
),

marked AS (
    UPDATE deliveries AS d
    SET waited_at = clock_timestamp()
    FROM due
    WHERE d.delivery_id = due.delivery_id
    RETURNING
        d.delivery_id, d.endpoint, d.event_type, d.payment_id, d.reference, d.user_id, d.currency,
        d.amount, d.received_at, d.reason
),

numbered AS (
    SELECT
        m.*,
        row_number() OVER (ORDER BY m.received_at, m.delivery_id) AS place
    FROM marked AS m
),

opened AS (
    INSERT INTO cases (
        case_id, kind, endpoint, delivery_id, reference, user_id, currency, amount, reason
    )
    SELECT
        i.case_id,
        'waiting_too_long',
        n.endpoint,
        n.delivery_id,
        n.reference,
        n.user_id,
        n.currency,
        n.amount,
        n.event_type || ' of ' || coalesce(n.payment_id, 'no payment') || ' waits since '
        || to_char(n.received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        || coalesce(': ' || n.reason, '')
    FROM numbered AS n
    INNER JOIN unnest($1::uuid[]) WITH ORDINALITY AS i (case_id, place) ON n.place = i.place
    RETURNING case_id
)

SELECT count(*) AS opened FROM opened
