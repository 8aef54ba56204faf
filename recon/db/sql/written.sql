-- How far the primary has written, and what time it is there.
SELECT
    pg_current_wal_insert_lsn()::text AS place,
    clock_timestamp() AS at
