-- $1 an api_answer each, in the order of their names. See requests_finish in 0006_access.up.sql.
SELECT requests_finish($1, NULL)
