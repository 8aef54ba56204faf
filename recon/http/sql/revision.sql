-- The schema's revision.
SELECT version_num
FROM alembic_version
