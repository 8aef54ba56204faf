-- $1 users, $2 currencies, $3 versions at which they agreed, $4 until when the game has taken every
-- accepted withdrawal (null: it says nothing of that), in parallel. A wallet at another
-- version by now is left out: it agreed with what is no more. A wallet that agreed at
-- the same version before is not written again, but where a run suspects it, which may be about to
-- confirm what has just been seen to agree. It is locked all the same: a wallet's check is locked
-- before its discrepancy, by everybody.
INSERT INTO checks AS c (
    user_id, currency, agreed_version, agreed_at, checked_at, unsettled, taken_until
)
SELECT
    a.user_id,
    a.currency,
    a.version,
    clock_timestamp(),
    clock_timestamp(),
    false,
    a.taken_until
FROM
    unnest($1::text[], $2::text[], $3::bigint[], $4::timestamptz[])
        AS a (user_id, currency, version, taken_until)
LEFT JOIN wallets AS w ON a.user_id = w.user_id AND a.currency = w.currency
WHERE a.version = coalesce(w.version, 0)
ORDER BY a.user_id, a.currency
ON CONFLICT (user_id, currency) DO UPDATE
    SET
        agreed_version = excluded.agreed_version,
        agreed_at = excluded.agreed_at,
        checked_at = excluded.checked_at,
        unsettled = false,
        taken_until = greatest(c.taken_until, excluded.taken_until)
    WHERE
    c.agreed_version IS DISTINCT FROM excluded.agreed_version
    OR c.unsettled
    OR EXISTS (
        SELECT
        FROM suspects AS s
        WHERE s.user_id = c.user_id AND s.currency = c.currency -- noqa: RF01
    )
    OR excluded.taken_until IS NOT NULL
