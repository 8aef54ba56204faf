-- $1 endpoint. One import of an endpoint at a time, until the transaction ends, which millions of
-- lines take longer to do than people's statements may.
SELECT
    set_config('idle_in_transaction_session_timeout', '0', true),
    set_config('statement_timeout', '0', true),
    set_config('lock_timeout', '0', true),
    pg_advisory_xact_lock(hashtextextended('recon.settlements:' || $1, 0))
