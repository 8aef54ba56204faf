-- $1 run, $2 users in a range. Cuts the wallets taken into ranges; how many wallets there are.
WITH cut AS (
    INSERT INTO run_ranges (run_id, first_user, last_user)
    SELECT
        $1,
        min(u.user_id),
        max(u.user_id)
    FROM (
        SELECT
            user_id,
            (row_number() OVER (ORDER BY user_id) - 1) / $2 AS part
        FROM (SELECT DISTINCT user_id FROM run_wallets WHERE run_id = $1) AS d
    ) AS u
    GROUP BY u.part
)

UPDATE runs
SET
    total = (SELECT count(*) FROM run_wallets WHERE run_id = $1),
    cut_at = clock_timestamp()
WHERE run_id = $1
RETURNING total
