-- $1 run, $2 users in a range. Cuts all players into ranges; how many wallets there are.
WITH everybody AS (
    SELECT
        user_id,
        currency
    FROM wallets
    WHERE version > 0 AND left(user_id, 1) <> '~'
    UNION
    SELECT
        user_id,
        currency
    FROM payments
),

cut AS (
    INSERT INTO run_ranges (run_id, first_user, last_user)
    SELECT
        $1,
        min(u.user_id),
        max(u.user_id)
    FROM (
        SELECT
            user_id,
            (row_number() OVER (ORDER BY user_id) - 1) / $2 AS part
        FROM (SELECT DISTINCT user_id FROM everybody) AS d
    ) AS u
    GROUP BY u.part
)

UPDATE runs
SET total = (SELECT count(*) FROM everybody)
WHERE run_id = $1
RETURNING total
