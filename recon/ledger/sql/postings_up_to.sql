-- $1 user, $2 currency, $3 only versions up to this, $4 how the sources begin that are wanted, $5
-- kinds that are wanted of any source, $6 among how many of the newest, $7 how many at most. Newest
-- first.
SELECT
    n.user_id,
    n.currency,
    n.version,
    n.debit,
    n.credit,
    n.amount,
    n.kind,
    n.source,
    n.key,
    n.hold_id,
    n.event_at,
    n.recorded_at,
    n.available_after,
    n.held_after,
    n.reserved_after
FROM (
    SELECT *
    FROM postings
    WHERE user_id = $1 AND currency = $2 AND version <= $3
    ORDER BY version DESC
    LIMIT $6
) AS n
WHERE starts_with(n.source, $4) OR n.kind = any($5::text[])
ORDER BY n.version DESC
LIMIT $7
