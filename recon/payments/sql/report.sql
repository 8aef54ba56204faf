-- $1 references, $2 states, $3 the PSP's payment ids, $4 when we had it (null: now), in parallel;
-- see payments_report in 0002_payments.up.sql.
SELECT payments_report($1, $2, $3, $4)
