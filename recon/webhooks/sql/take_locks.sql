-- $1 keys in ascending order: of events, payments, refunds, disputes and payouts. Held until the
-- transaction ends, so that all that is said of one payment is decided one after the other; and a
-- transaction that was cut off ends by itself, see ledger_post.
SELECT
    pg_advisory_xact_lock(key),
    set_config('idle_in_transaction_session_timeout', '10s', true)
FROM unnest($1::bigint[]) AS k (key)
