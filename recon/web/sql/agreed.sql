-- $1 user, $2 currency. When the wallet last agreed with the game; null: never yet.
SELECT
    agreed_at,
    agreed_version
FROM checks
WHERE user_id = $1 AND currency = $2 AND agreed_at IS NOT NULL
