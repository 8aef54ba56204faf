-- What this role could do that would let it rewrite the past: $1 the tables of which nothing may be
-- taken away, $2 of some of these the columns that may change. Nothing, as it should be.
SELECT
    r.rolname AS role,
    why.is_superuser,
    why.said
FROM pg_roles AS r
CROSS JOIN
    LATERAL (
        SELECT
            true AS is_superuser,
            'is superuser' AS said
        WHERE r.rolsuper
        UNION ALL
        SELECT
            false AS is_superuser,
            'has ' || a.attribute AS said
        FROM
            (
                VALUES
                ('CREATEROLE', r.rolcreaterole),
                ('REPLICATION', r.rolreplication),
                ('BYPASSRLS', r.rolbypassrls)
            ) AS a (attribute, is_there)
        WHERE a.is_there
        UNION ALL
        SELECT
            false AS is_superuser,
            'is a member of ' || m.rolname AS said
        FROM pg_roles AS m
        WHERE
            m.rolname IN (
                'pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files',
                'pg_write_all_data', 'pg_maintain'
            )
            AND pg_has_role(r.oid, m.oid, 'MEMBER')
        UNION ALL
        SELECT
            false AS is_superuser,
            'may create in schema public' AS said
        WHERE has_schema_privilege(r.oid, 'public', 'CREATE')
        UNION ALL
        SELECT
            false AS is_superuser,
            CASE
                WHEN pg_has_role(r.oid, c.relowner, 'MEMBER') THEN 'owns '
                ELSE 'may change '
            END || c.relname AS said
        FROM pg_class AS c
        WHERE
            c.relnamespace = 'public'::regnamespace
            AND c.relname = any($1::text[])
            AND (
                pg_has_role(r.oid, c.relowner, 'MEMBER')
                OR has_table_privilege(r.oid, c.oid, 'UPDATE, DELETE, TRUNCATE, TRIGGER')
            )
        UNION ALL
        SELECT
            false AS is_superuser,
            format('may change %s.%s', c.relname, a.attname) AS said
        FROM pg_class AS c
        INNER JOIN pg_attribute AS a ON c.oid = a.attrelid
        WHERE
            c.relnamespace = 'public'::regnamespace
            AND c.relname = any($1::text[])
            AND a.attnum > 0
            AND NOT a.attisdropped
            AND NOT has_table_privilege(r.oid, c.oid, 'UPDATE')
            AND has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE')
            AND NOT c.relname || '.' || a.attname = any($2::text[])
    ) AS why
WHERE r.rolname = current_user
ORDER BY why.said
