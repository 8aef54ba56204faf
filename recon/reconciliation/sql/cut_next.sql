-- $1 run, $2 the last user of the range before, $3 wallets in a range. Cuts the next range of a run
-- over everything off what is left. A range ends with a player's last wallet: where there is more,
-- the last player that is seen may have more of it, and is left to the next range. `first_user` is
-- null when nobody was left.
WITH page AS (
    SELECT
        user_id,
        currency
    FROM (
        (
            SELECT
                user_id,
                currency
            FROM wallets
            WHERE user_id > $2 AND version > 0 AND left(user_id, 1) <> '~'
            ORDER BY user_id, currency
            LIMIT $3 + 1
        )
        UNION
        (
            SELECT DISTINCT
                user_id,
                currency
            FROM payments
            WHERE user_id > $2
            ORDER BY user_id, currency
            LIMIT $3 + 1
        )
    ) AS w
    ORDER BY user_id, currency
    LIMIT $3 + 1
),

whole AS (
    SELECT
        min(p.user_id) AS first_user,
        max(p.user_id) AS last_user,
        count(*) AS wallets
    FROM page AS p
    WHERE (SELECT count(*) <= $3 FROM page) OR p.user_id < (SELECT max(l.user_id) FROM page AS l)
),

cut AS (
    INSERT INTO run_ranges (run_id, first_user, last_user)
    SELECT
        $1,
        w.first_user,
        w.last_user
    FROM whole AS w
    WHERE w.wallets > 0
)

UPDATE runs AS r
SET
    total = r.total + w.wallets,
    cut_to = coalesce(w.last_user, r.cut_to),
    cut_at = CASE WHEN (SELECT count(*) <= $3 FROM page) THEN clock_timestamp() END
FROM whole AS w
WHERE r.run_id = $1
RETURNING
    w.first_user,
    r.cut_at IS NOT NULL AS done
