-- $1 what no run from then on has a lower id than, $2 at most so many. What runs saw of which it is
-- no longer to be known goes. How many there were.
WITH gone AS (
    DELETE FROM run_discrepancies
    WHERE
        (user_id, discrepancy_id, run_id) IN (
            SELECT
                s.user_id,
                s.discrepancy_id,
                s.run_id
            FROM run_discrepancies AS s
            INNER JOIN runs AS r ON s.run_id = r.run_id
            WHERE s.run_id < $1 AND r.forgotten_at IS NOT NULL
            ORDER BY s.run_id, s.discrepancy_id
            LIMIT $2
        )
    RETURNING run_id
)

SELECT count(*) FROM gone
