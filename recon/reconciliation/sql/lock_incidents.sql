-- One process at a time groups discrepancies; until the end of the transaction.
SELECT pg_advisory_xact_lock(hashtextextended('recon.incidents', 0))
