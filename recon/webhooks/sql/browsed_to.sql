-- $1 states, $2 only those before this delivery, $3 and none before this id (null: all, each), $4
-- how many of them to pass over. The next one, if there is one.
-- Turned it is the other way round, and before is after.
SELECT delivery_id
FROM deliveries
WHERE
    ($1::text[] IS NULL OR state = any($1))
    AND ($2::uuid IS NULL OR delivery_id < $2) -- turns
    AND ($3::uuid IS NULL OR delivery_id >= $3) -- turns
ORDER BY delivery_id DESC -- turns
LIMIT 1 OFFSET $4
