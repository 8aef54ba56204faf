-- $1 delivery, as ``delivery:<id>``. Who has had it decided again, newest first.
SELECT
    at,
    actor,
    detail
FROM audit
WHERE object = $1 AND action = 'delivery.replayed'
ORDER BY audit_id DESC
LIMIT 20
