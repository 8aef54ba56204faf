-- $1 an api_claim each, in the order of their names; $2 after how long an unanswered attempt counts
-- as dead. Whether each is ours to run; see requests_begin in 0006_access.up.sql.
SELECT requests_begin($1, $2)
