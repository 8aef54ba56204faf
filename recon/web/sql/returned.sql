-- $1 run, $2 only what comes after this discrepancy (null: from the first), $3 how many. What
-- healed in it or came back, by the age of the discrepancy.
SELECT
    discrepancy_id,
    user_id,
    currency,
    standing,
    difference,
    seen_at
FROM run_discrepancies
WHERE
    run_id = $1
    AND standing IN ('healed', 'reopened')
    AND ($2::uuid IS NULL OR discrepancy_id > $2)
ORDER BY discrepancy_id
LIMIT $3
