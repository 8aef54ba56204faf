-- $1 actor, $2 start of an action, $3 object, $4 from an instant, $5 before one (each null: any),
-- $6 only what is before this one (null: from the newest), $7 how many. Newest first.
-- Turned it is the other way round, and before is after.
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
    AND ($6::uuid IS NULL OR audit_id < $6) -- turns
ORDER BY audit_id DESC -- turns
LIMIT $7
