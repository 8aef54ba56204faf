-- $1 keys to wait for, in ascending order; $2 endpoints and $3 ids of events; $4 endpoints and
-- $5 ids that they tell; $6 endpoints, $7 references and $8 payment ids of those about a payment;
-- $9 references, $10 states and $11 payment ids of what is known to be registered; $12 to $18 as
-- in write_taken.sql. See intake_take in 0003_webhooks.up.sql.
SELECT
    intake_take(
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18
    )
