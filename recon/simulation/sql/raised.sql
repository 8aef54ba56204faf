-- What people were shown and should not have been: any case, and any discrepancy but that a bet had
-- no outcome yet, which has cleared by itself.
SELECT
    'case' AS kind,
    c.kind AS name,
    c.user_id,
    c.reason AS detail
FROM cases AS c
UNION ALL
SELECT
    'discrepancy' AS kind,
    d.cause AS name,
    d.user_id,
    d.status AS detail
FROM discrepancies AS d
WHERE NOT (d.status = 'cleared' AND d.cause IN ('unresolved_bet', 'missed_payout'))
ORDER BY kind, name, user_id
