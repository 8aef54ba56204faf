-- $1: the one lock of whoever looks for something to tell, for this transaction; false where
-- another holds it.
SELECT pg_try_advisory_xact_lock($1)
