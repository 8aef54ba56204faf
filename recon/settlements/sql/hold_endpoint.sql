-- $1 endpoint. One import of an endpoint at a time, until the transaction ends.
SELECT pg_advisory_xact_lock(hashtextextended('recon.settlements:' || $1, 0))
