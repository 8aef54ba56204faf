-- $1 the caller's name. Held to the end of the transaction: its keys are made one after another.
SELECT pg_advisory_xact_lock(hashtextextended('api_keys:' || $1, 0))
