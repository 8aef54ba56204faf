-- Postgres, too, reads virtual time: every clock_timestamp() of the service's tables, functions and
-- statements, which name no schema, becomes the instant that the session was told. It is run by the
-- owner, once, in the database that simulations are cloned from and nowhere else.
CREATE SCHEMA simulation;

CREATE FUNCTION simulation.clock_timestamp() RETURNS timestamptz
LANGUAGE sql VOLATILE
RETURN coalesce(
    nullif(current_setting('simulation.now', true), '')::timestamptz, pg_catalog.clock_timestamp()
);

CREATE FUNCTION simulation.statement_timestamp() RETURNS timestamptz
LANGUAGE sql VOLATILE
RETURN simulation.clock_timestamp();

CREATE FUNCTION simulation.now() RETURNS timestamptz
LANGUAGE sql VOLATILE
RETURN simulation.clock_timestamp();

DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT d.adrelid::regclass AS owner, a.attname AS name
        FROM pg_attrdef AS d
        INNER JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
        WHERE pg_get_expr(d.adbin, d.adrelid) = 'clock_timestamp()'
    LOOP
        EXECUTE format(
            'ALTER TABLE %s ALTER COLUMN %I SET DEFAULT simulation.clock_timestamp()',
            found.owner, found.name
        );
    END LOOP;
    FOR found IN
        SELECT pg_get_functiondef(p.oid) AS definition
        FROM pg_proc AS p
        WHERE
            p.pronamespace = 'public'::regnamespace
            AND p.prosrc LIKE '%clock_timestamp()%'
            -- `recon verify` knows its very words; the search path of the sessions does for it.
            AND p.proname <> 'decide_once'
    LOOP
        EXECUTE replace(
            found.definition, 'clock_timestamp()', 'simulation.clock_timestamp()'
        );
    END LOOP;
END;
$$;
