-- $1 a backend of this role. True once it has ended, and its locks with it: after 10 s at most.
SELECT pg_terminate_backend($1, 10000) AS ended
