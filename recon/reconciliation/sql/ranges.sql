-- $1 run. Its ranges that are not finished; none when it has ended.
SELECT g.first_user
FROM run_ranges AS g
INNER JOIN runs AS r ON g.run_id = r.run_id
WHERE g.run_id = $1 AND g.finished_at IS NULL AND r.state = 'running'
ORDER BY g.first_user
