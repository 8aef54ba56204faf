-- $1 actor, $2 start of an action, $3 object, $4 from and $5 before an instant (each null: any),
-- $6 only what is before this one (null: from the newest), $7 how many. Newest first.
SELECT
    audit_id,
    at,
    actor,
    action,
    object,
    detail
FROM audit
WHERE
    ($1::text IS NULL OR actor = $1)
    AND ($2::text IS NULL OR starts_with(action, $2))
    AND ($3::text IS NULL OR object = $3)
    AND ($4::timestamptz IS NULL OR at >= $4)
    AND ($5::timestamptz IS NULL OR at < $5)
    AND ($6::uuid IS NULL OR audit_id < $6)
ORDER BY audit_id DESC
LIMIT $7
