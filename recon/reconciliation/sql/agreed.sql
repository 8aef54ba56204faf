-- $1 user, $2 currency. The wallet's version when it last agreed with the game, and when that was.
SELECT
    agreed_version,
    agreed_at
FROM checks
WHERE user_id = $1 AND currency = $2
