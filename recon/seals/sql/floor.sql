-- The oldest transaction that this one does not see and that may still commit: all before it ended.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS xid_floor
