-- $1 endpoint, $2 file; $3 batches, $4 currencies, $5 lines, $6 net, $7 paid, $8 payouts of its new
-- lines, in parallel. What the batches come to with it.
INSERT INTO settlement_batches AS b (
    endpoint, batch, currency, lines, net, paid, payouts, last_file_id
)
SELECT
    $1,
    n.batch,
    n.currency,
    n.lines,
    n.net,
    n.paid,
    n.payouts,
    $2
FROM
    unnest($3::text[], $4::text[], $5::bigint[], $6::numeric[], $7::numeric[], $8::bigint[])
        AS n (batch, currency, lines, net, paid, payouts)
ORDER BY n.batch, n.currency
ON CONFLICT (endpoint, batch, currency) DO UPDATE
    SET
        lines = b.lines + excluded.lines,
        net = b.net + excluded.net,
        paid = b.paid + excluded.paid,
        payouts = b.payouts + excluded.payouts,
        last_file_id = excluded.last_file_id
RETURNING batch, currency, lines, net, paid, payouts
