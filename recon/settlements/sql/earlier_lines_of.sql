-- $1 endpoint, $2 from, $3 until, $4 before: of its files that speak of this time and end before,
-- the lines of $5 payments, charges, refunds, disputes or payouts. Columns as in earlier_lines.sql.
SELECT
    l.line_key,
    l.kind,
    l.payment_id,
    l.effect_id,
    l.reference,
    l.currency,
    l.amount,
    extract(EPOCH FROM l.settled_at)::numeric(20, 6) AS settled_at
FROM settlement_files AS f
INNER JOIN settlement_lines AS l ON f.file_id = l.file_id
WHERE
    f.endpoint = $1
    AND f.period_to >= $2
    AND f.period_from <= $3
    AND f.period_to < $4
    AND (l.payment_id = any($5::text[]) OR l.effect_id = any($5::text[]))
