-- How far the primary has written, what time it is there, and which it is: the cluster, the
-- timeline that it writes, the database. No place: it is a standby itself, which writes nothing.
SELECT
    CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_insert_lsn()::text END AS place,
    clock_timestamp() AS at,
    s.system_identifier AS cluster,
    CASE
        WHEN NOT pg_is_in_recovery()
            -- A file of the log is named by its timeline, in hexadecimal digits. The control file
            -- knows it only from the first checkpoint on.
            THEN ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer
    END AS timeline,
    (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()) AS database
FROM pg_control_system() AS s
