-- $1 run, $2 only what comes after this discrepancy (null: from the first), $3 how many. What
-- healed in it or came back, the oldest discrepancy first.
-- Turned it is the other way round, and before is after.
SELECT
    r.discrepancy_id,
    r.user_id,
    r.currency,
    r.standing,
    r.difference,
    r.seen_at,
    d.first_seen_at
FROM run_discrepancies AS r
LEFT JOIN discrepancies AS d ON r.user_id = d.user_id AND r.discrepancy_id = d.discrepancy_id
WHERE
    r.run_id = $1
    AND r.standing IN ('healed', 'reopened')
    AND ($2::uuid IS NULL OR r.discrepancy_id > $2) -- turns
ORDER BY r.discrepancy_id ASC -- turns
LIMIT $3
