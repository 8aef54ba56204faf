-- $1 endpoint, $2 batches, $3 their currencies, in parallel; $4 how they are explained. Findings
-- that say of one of them that it is not balanced; their cases.
UPDATE settlement_findings AS f
SET state = 'resolved', resolved_at = clock_timestamp(), resolution = $4
FROM unnest($2::text[], $3::text[]) AS n (batch, currency)
WHERE
    f.endpoint = $1
    AND f.kind = 'payout_mismatch'
    AND f.payment_id = n.batch
    AND f.settled_currency = n.currency
    AND f.state = 'open'
RETURNING f.case_id
