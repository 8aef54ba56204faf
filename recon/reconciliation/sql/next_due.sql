-- $1 run. When its next suspect is due; null when it has none.
SELECT min(due_at) AS due_at
FROM suspects
WHERE run_id = $1
