-- $1 a backend. Whether it waits for a lock that another holds or asked for first.
SELECT cardinality(pg_blocking_pids($1)) > 0 AS blocked
