-- $1 players, $2 findings, in parallel; $3 how they are explained. Their cases.
UPDATE settlement_findings AS f
SET state = 'resolved', resolved_at = clock_timestamp(), resolution = $3
FROM unnest($1::text[], $2::uuid[]) AS n (user_id, finding_id)
WHERE f.user_id = n.user_id AND f.finding_id = n.finding_id AND f.state = 'open'
RETURNING f.case_id
