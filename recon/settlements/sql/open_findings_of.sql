-- $1 endpoint: its findings that may yet be explained.
SELECT
    user_id,
    finding_id,
    kind,
    about,
    payment_id,
    effect_id
FROM settlement_findings
WHERE
    endpoint = $1
    AND state = 'open'
    AND kind IN (
        'missing_here', 'missing_there', 'amount_mismatch', 'currency_mismatch', 'status_conflict'
    )
