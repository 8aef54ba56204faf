-- $1 player and $2 finding, or $3 case (its first finding): where it stands.
SELECT
    file_id,
    finding_id
FROM settlement_findings
WHERE
    ($3::uuid IS NULL AND user_id = $1 AND finding_id = $2)
    OR case_id = $3
ORDER BY finding_id
LIMIT 1
