-- $1 keys in ascending order: of events, payments, refunds, disputes and payouts. Held until the
-- transaction ends, so that all that is said of one payment is decided one after the other.
SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS k (key)
