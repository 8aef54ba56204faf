-- What this transaction sees: when it began, and the numbers of the transactions that it does not
-- see: none below xid_floor, all from xid_ceiling on.
SELECT
    now() AS at,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid_floor,
    pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS xid_ceiling
