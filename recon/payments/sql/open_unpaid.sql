-- $1 ids for cases, as many as payments at most; $2 how long after its PSP first spoke of it a
-- withdrawal is overdue; $3 endpoints whose PSP never says that one is paid: theirs are passed over
-- for good. The longest overdue first. How many were looked at, and how many cases opened.
WITH due AS (
    SELECT p.reference
    FROM payments AS p
    WHERE
        p.direction = 'withdrawal'
        AND p.state IN ('pending', 'accepted')
        AND p.unpaid_at IS NULL
        AND p.reported_at < clock_timestamp() - $2::interval
    ORDER BY p.reported_at
    LIMIT cardinality($1::uuid[])
    FOR NO KEY UPDATE OF p SKIP LOCKED
),

marked AS (
    UPDATE payments AS p
    SET unpaid_at = clock_timestamp()
    FROM due
    WHERE p.reference = due.reference
    RETURNING
        p.reference, p.endpoint, p.state, p.user_id, p.currency, p.amount, p.reported_at
),

numbered AS (
    SELECT
        m.*,
        row_number() OVER (ORDER BY m.reported_at, m.reference) AS place
    FROM marked AS m
),

opened AS (
    INSERT INTO cases (
        case_id, kind, endpoint, reference, user_id, currency, amount, reason
    )
    SELECT
        i.case_id,
        'withdrawal_overdue',
        n.endpoint,
        n.reference,
        n.user_id,
        n.currency,
        n.amount,
        'a withdrawal that is ' || n.state || ' since '
        || to_char(n.reported_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
        || ', neither paid nor failed'
    FROM numbered AS n
    INNER JOIN unnest($1::uuid[]) WITH ORDINALITY AS i (case_id, place) ON n.place = i.place
    WHERE n.endpoint <> all($3::text[])
    RETURNING case_id
)

SELECT
    (SELECT count(*) FROM marked) AS looked_at,
    (SELECT count(*) FROM opened) AS opened
