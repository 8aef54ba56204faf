-- $1 user, $2 currency, $3 since when. Whether the wallet was put on record as agreeing since then.
SELECT EXISTS(
    SELECT
    FROM checks
    WHERE user_id = $1 AND currency = $2 AND agreed_at > $3
) AS agreed
