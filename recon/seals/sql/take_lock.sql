-- $1: the one lock of all sealers, for this transaction; false where another holds it.
SELECT pg_try_advisory_xact_lock($1)
