-- What this role could do to tables of which nothing may be taken away, $1: it should be nothing.
SELECT
    r.rolname AS role,
    r.rolsuper AS is_superuser,
    t.name AS table_name,
    pg_has_role(c.relowner, 'MEMBER') AS is_owner,
    has_table_privilege(c.oid, 'DELETE') OR has_table_privilege(c.oid, 'TRUNCATE')
    OR has_table_privilege(c.oid, 'UPDATE') OR has_table_privilege(c.oid, 'TRIGGER')
        AS may_change
FROM pg_roles AS r
CROSS JOIN unnest($1::text[]) AS t (name)
INNER JOIN pg_class AS c ON c.oid = to_regclass('public.' || t.name)
WHERE r.rolname = current_user
ORDER BY t.name
