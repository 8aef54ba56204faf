-- The schema's revision, and what time it is for the database.
SELECT
    version_num,
    clock_timestamp() AS at
FROM alembic_version
