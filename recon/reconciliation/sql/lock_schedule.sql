-- One process at a time starts what is due; until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('recon.schedule', 0))
