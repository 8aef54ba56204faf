-- $1 a ledger_entry each, $2 an intake_delivery each, $3 an intake_movement each; $4 references, $5
-- states, $6 the PSP's payment ids and $7 when we had it, in parallel. See intake_write in
-- 0003_webhooks.up.sql.
SELECT intake_write($1, $2, $3, $4, $5, $6, $7)
