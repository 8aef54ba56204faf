-- $1 keys to wait for, in ascending order; $2 endpoints and $3 ids of events; $4 endpoints and $5
-- ids that those events tell. See intake_look_up in 0003_webhooks.up.sql.
SELECT
    kept,
    kept_delivery,
    kept_content,
    moved,
    sleeping,
    registered
FROM intake_look_up($1, $2, $3, $4, $5)
