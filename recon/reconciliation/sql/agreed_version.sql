-- $1 user, $2 currency. The wallet's version when it last agreed with the game.
SELECT agreed_version
FROM checks
WHERE user_id = $1 AND currency = $2
