-- $1 file, $2 how many: the batches that it was the last to speak of; those that do not sum to zero
-- come first.
SELECT
    batch,
    currency,
    lines,
    net,
    paid,
    payouts
FROM settlement_batches
WHERE last_file_id = $1
ORDER BY (net + paid <> 0) DESC, batch ASC, currency ASC
LIMIT $2
