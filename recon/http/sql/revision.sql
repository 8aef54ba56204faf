-- The schema's revision, the oldest code that it says runs on it, and the database's time.
SELECT
    version_num,
    col_description('alembic_version'::regclass, 1) AS oldest_code,
    clock_timestamp() AS at
FROM alembic_version
