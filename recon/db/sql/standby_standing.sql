-- How far a standby has come, when the newest transaction that it has was committed, and which it
-- is: the cluster, the timeline that it follows, the database. No place: it is none; one that was
-- promoted remembers how far it had come. It knows that its primary has changed over from the first
-- page of the new timeline that it puts away, or its next restartpoint.
SELECT
    CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()::text END AS place,
    pg_last_xact_replay_timestamp() AS at,
    s.system_identifier AS cluster,
    greatest(c.timeline_id, r.min_recovery_end_timeline) AS timeline,
    (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()) AS database
FROM pg_control_system() AS s
CROSS JOIN pg_control_checkpoint() AS c
CROSS JOIN pg_control_recovery() AS r
