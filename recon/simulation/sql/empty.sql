-- Empty every table that has rows, but for those that the migrations have filled. The triggers that
-- make tables append-only stand aside: only a superuser can have them do so.
DO $$
DECLARE
    found record;
    filled boolean;
    tables text[] := '{}';
BEGIN
    PERFORM set_config('session_replication_role', 'replica', false);
    FOR found IN
        SELECT format('%I.%I', t.schemaname, t.tablename) AS name
        FROM pg_tables AS t
        WHERE
            t.schemaname IN ('public', 'simulation')
            AND t.tablename NOT IN ('alembic_version', 'currencies', 'redaction')
    LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || found.name || ')' INTO filled;
        IF filled THEN
            tables := tables || found.name;
        END IF;
    END LOOP;
    IF tables <> '{}' THEN
        EXECUTE 'TRUNCATE ' || array_to_string(tables, ', ') || ' RESTART IDENTITY CASCADE';
    END IF;
END;
$$
